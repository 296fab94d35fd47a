# Stand-ins for official images, for machines that reach package registries and no registry of images. bases.sh gives the
# context: the root file system of a Debian, the machine's certificate authorities, and a configuration of pip.

# debian:bookworm-slim
FROM scratch AS debian
ADD rootfs.tar /
# An engine behind a proxy that re-signs TLS reaches the registries with the authorities of its machine only.
COPY ca-certificates.crt /etc/ssl/certs/
COPY pip.conf /etc/
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL mllint.standin=debian
CMD ["bash"]

# python:3.11-slim-bookworm: Debian's Python, moved to where the official image has its own. Another SUITE of Debian gives
# another VERSION, and the C library that it needs.
FROM debian AS python
ARG SUITE=bookworm VERSION=3.11.2
ENV PATH=/usr/local/bin:$PATH LANG=C.UTF-8 PYTHON_VERSION=$VERSION
RUN <<END
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
minor=${VERSION%.*}
sed -i "s/ bookworm / $SUITE /" /etc/apt/sources.list
apt-get update -qq
apt-get install -qq --yes --no-install-recommends netbase tzdata "python$minor-venv" >/dev/null
rm -rf /var/lib/apt/lists/*

mv "/usr/bin/python$minor" /usr/local/bin/
rm -rf "/usr/local/lib/python$minor"
mv "/usr/lib/python$minor" /usr/local/lib/
ln -s "python$minor" /usr/local/bin/python3
ln -s python3 /usr/local/bin/python
cd "/usr/local/lib/python$minor"
rm -f EXTERNALLY-MANAGED sitecustomize.py _distutils_system_mod.py
# Debian installs to dist-packages. The schemes of upstream are there too; the search path is compiled into the program.
schemes=sysconfig.py
[ -f $schemes ] || schemes=sysconfig/__init__.py
sed -i "s/prefix_scheme = '\(posix_local\|deb_system\)'/prefix_scheme = 'posix_prefix'/" $schemes
mkdir -p dist-packages site-packages
echo "import site; site.addsitedir('/usr/local/lib/python$minor/site-packages')" >dist-packages/site-packages.pth
set -- /usr/share/python-wheels/pip-*.whl
# The official images have no setuptools since Python 3.12.
[ "$minor" != 3.11 ] || set -- "$1" /usr/share/python-wheels/setuptools-*.whl
PYTHONPATH=$1 python -m pip install --quiet --no-index --no-cache-dir --no-compile --root-user-action=ignore "$@"
find /usr/local/lib -name __pycache__ -type d -prune -exec rm -rf {} +
[ "$(python --version)" = "Python $PYTHON_VERSION" ]
END
LABEL mllint.standin=python
CMD ["python3"]

# nvidia/cuda:12.4.1-{base,runtime}-ubuntu22.04, on Debian: of CUDA's libraries those that a program loads to use a GPU at
# all, without the mathematical ones, which are gigabytes.
FROM python AS cuda-wheels
RUN pip install --quiet --no-deps --no-cache-dir --target /wheels \
    nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-nvrtc-cu12==12.4.127
RUN mkdir /cuda && cp -a /wheels/nvidia/*/lib/*.so* /cuda/

FROM debian AS cuda
COPY --from=cuda-wheels /cuda/ /usr/local/cuda-12.4/lib64/
RUN <<END
set -eu
ln -s cuda-12.4 /usr/local/cuda
mkdir -p /usr/local/cuda/targets/x86_64-linux
ln -s ../../lib64 /usr/local/cuda/targets/x86_64-linux/lib
echo /usr/local/cuda/lib64 >/etc/ld.so.conf.d/000_cuda.conf
ldconfig
# The pip of Ubuntu 22.04 installs into the system's Python, that of Debian 12 does not.
echo 'path-exclude=/usr/lib/python3*/EXTERNALLY-MANAGED' >/etc/dpkg/dpkg.cfg.d/ubuntu
END
ENV NVARCH=x86_64 NVIDIA_REQUIRE_CUDA="cuda>=12.4" CUDA_VERSION=12.4.1 \
    PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:$PATH \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL mllint.standin=cuda
CMD ["/bin/bash"]
