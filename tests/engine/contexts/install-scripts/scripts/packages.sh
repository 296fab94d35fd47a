set -e
if [ "$1" = prod ]; then
    pip install --no-cache-dir six==1.17.0
else
    pip install --no-cache-dir h11==0.14.0
fi
