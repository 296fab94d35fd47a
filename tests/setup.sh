#!/bin/sh
# Makes the virtual environment $1 with mllint and everything its tests need: by uv where it is installed, else by venv.
set -eu
venv=$1

if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --allow-existing --python '>=3.11' "$venv"
    uv pip install --quiet --python "$venv/bin/python" --editable '.[test,service]'
    exit 0
fi

for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$python" >/dev/null 2>&1 && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        if ! "$python" -m venv "$venv"; then
            echo "$python has no working venv module: install it (Debian and Ubuntu: apt-get install python3-venv), or uv (https://docs.astral.sh/uv/)" >&2
            exit 1
        fi
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,service]'
        exit 0
    fi
done

echo "mllint needs Python 3.11 or newer, and none was found: install it, or uv (https://docs.astral.sh/uv/), which brings one" >&2
exit 1
