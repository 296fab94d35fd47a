#!/usr/bin/env bash
# Starts a Docker engine on a Debian machine where none answers, from Debian's packages alone; stop.sh ends it.
#
#   start.sh      as root; does nothing where an engine with BuildKit's client (buildx) answers
#
# The engine is trixie's (26.1 with buildx 0.13: heredocs, --link, COPY --chmod, --start-interval), unpacked into a folder
# of its own: the engine of bookworm knows none of these, and trixie's packages run there as they are. Only the programs
# that the engine calls come from the release of this machine, as trixie's runc wants a newer C library.
set -euo pipefail

suite=trixie
home=/opt/mllint-engine
state=/run/mllint-engine
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
docs=https://docs.docker.com/engine/install/

fail() {
    echo "start.sh: $1" >&2
    exit 1
}

install_programs() {
    local missing=()
    command -v runc >/dev/null || missing+=(runc)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v tini-static >/dev/null || missing+=(tini)
    [ -f /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get update -qq
        apt-get install -qq --yes --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    fi
}

# apt reads a sources list of its own in a folder of its own, so that the machine's packages and sources stay as they are.
unpack_engine() {
    local mirror options
    apt-get update -qq
    # shellcheck disable=SC2016  # apt fills in the field
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
    [ -n "$mirror" ] || fail "apt knows no mirror of Debian: install Docker yourself ($docs)"
    apt=$(mktemp -d)
    trap 'rm -rf "$apt"' EXIT
    mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial "$apt"/debs
    touch "$apt/status"
    echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
    options=(
        -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
        -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root
    )
    apt-get "${options[@]}" -qq update
    (cd "$apt/debs" && apt-get "${options[@]}" -qq download docker.io docker-cli docker-buildx containerd)
    rm -rf "$home.part"
    for package in "$apt"/debs/*.deb; do
        dpkg-deb -x "$package" "$home.part"
    done
    ln -sf "$(command -v tini-static)" "$home.part/usr/bin/docker-init"
    rm -rf "$home"
    mv "$home.part" "$home"
}

# A client that is already there stays, and gets the plugin that it lacks.
link_client() {
    if ! command -v docker >/dev/null; then
        ln -sf "$home/usr/bin/docker" /usr/local/bin/docker
    fi
    if ! docker buildx version >/dev/null 2>&1; then
        mkdir -p /usr/local/lib/docker/cli-plugins
        ln -sf "$home/usr/libexec/docker/cli-plugins/docker-buildx" /usr/local/lib/docker/cli-plugins/docker-buildx
    fi
}

start_engine() {
    mkdir -p "$state"
    PATH=$home/usr/sbin:$home/usr/bin:$PATH setsid nohup dockerd \
        --exec-root "$state/exec" --pidfile "$state/dockerd.pid" >"$state/dockerd.log" 2>&1 </dev/null &
    for _ in $(seq 300); do
        if docker info >/dev/null 2>&1; then
            return
        fi
        kill -0 $! 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$state/dockerd.log" >&2
    fail "the engine does not answer; its log is $state/dockerd.log"
}

if docker info >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then
    exit 0
fi
[ -z "${DOCKER_HOST:-}" ] || fail "DOCKER_HOST is $DOCKER_HOST, and no engine with buildx answers there"
if [ "$(id -u)" != 0 ] || [ ! -f $keyring ]; then
    fail "no Docker engine with buildx answers, and starting one takes root on Debian: start yours, or install Docker ($docs)"
fi

export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
install_programs
[ -x "$home/usr/sbin/dockerd" ] || unpack_engine
link_client
docker info >/dev/null 2>&1 || start_engine
docker version --format 'Docker engine {{.Server.Version}} answers'
