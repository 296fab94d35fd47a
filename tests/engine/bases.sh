#!/usr/bin/env bash
# Sees to it that the engine has the base images that the tests build on: the real ones where the engine has them or can
# pull them, else stand-ins made of what the package registries of Debian and Python have.
#
#   bases.sh [--registry] [REFERENCE...]
#
#   REFERENCE     debian:bookworm*, python:3.11*, python:3.13* or
#                 nvidia/cuda:12.4.1-{base,runtime,cudnn-runtime}-ubuntu22.04;
#                 without one, those that the tests, the contexts of fixtures/ and the proofs of rules name
#   --registry    push them to the registry that registry.sh starts
#
# A stand-in says so by its label mllint.standin. Its Python is not the patch release of the tag;
# the variable PYTHON_VERSION of the image tells which it is. Making stand-ins takes root on Debian; they are kept in
# ${XDG_CACHE_HOME:-~/.cache}/mllint/engine, from where an engine loads them in seconds.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mllint/engine
registry=127.0.0.1:5000
authorities=/etc/ssl/certs/ca-certificates.crt
standins=(debian python python3.13 cuda)

fail() {
    echo "bases.sh: $1" >&2
    exit 1
}

references_of_tests() {
    echo debian:bookworm-slim
    echo python:3.11-slim-bookworm
    echo nvidia/cuda:12.4.1-base-ubuntu22.04
    sed -nE 's/^[Ff][Rr][Oo][Mm] ((python:3\.11|nvidia\/cuda:12\.4\.1-)[^ @]*).*/\1/p' "$here"/../../fixtures/inference/*/*/*/Dockerfile
    # An example of a rule is a proof where a fence says what an engine shows of it.
    awk '
        FNR == 1 || /^##/ { references = ""; is_proof = 0 }
        /^FROM [^ ]*:/ { references = references $2 "\n" }
        /^```text engine$/ { is_proof = 1 }
        /^```$/ && is_proof { printf "%s", references; references = "" }
    ' "$here"/../../rules/*/*.md
}

kind_of() {
    case $1 in
        debian:bookworm*) echo debian ;;
        python:3.11*) echo python ;;
        python:3.13*) echo python3.13 ;;
        nvidia/cuda:12.4.1-base-ubuntu22.04 | nvidia/cuda:12.4.1-*runtime-ubuntu22.04) echo cuda ;;
        *) fail "$1 cannot be pulled, and there is no stand-in for it" ;;
    esac
}

# What the stand-ins carry of this machine: how pip reaches its index.
configuration_of_pip() {
    local index
    index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
    printf '[global]\ncert = %s\n' "$authorities"
    [ -z "$index" ] || printf 'index-url = %s\n' "$index"
}

# Tells the stand-ins of this recipe from those of an older one.
edition() {
    { declare -f make_root_file_system && configuration_of_pip && cat "$here/standins.Dockerfile" "$authorities"; } | sha256sum | cut -c 1-12
}

make_root_file_system() {
    local mirror log
    apt-get update -qq
    if ! command -v mmdebstrap >/dev/null; then
        apt-get install -qq --yes --no-install-recommends mmdebstrap </dev/null >/dev/null
    fi
    # shellcheck disable=SC2016  # apt fills in the field
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -n 1)
    # The hook and usr-is-merged keep the package usrmerge out, which brings all of perl (50 MB). The documentation is
    # removed at the end, as leaving it out while unpacking takes 8 seconds longer.
    # shellcheck disable=SC2016  # mmdebstrap gives its hooks $1
    log=$(mmdebstrap --quiet --format=tar --mode=root --variant=apt \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged,ca-certificates \
        --aptopt='Acquire::Languages "none"' \
        --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; }' \
        --customize-hook='cd "$1" && rm -rf usr/share/doc/* usr/share/info/* usr/share/locale/* usr/share/man/*' \
        --customize-hook='printf "path-exclude=/usr/share/%s/*\n" doc info locale man >"$1/etc/dpkg/dpkg.cfg.d/docker"' \
        --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"' \
        bookworm "$1" "$mirror" 2>&1) || fail "$log"
}

# Prints what an image is: "real", the edition of a stand-in, or "missing".
nature() {
    local labels
    labels=$(docker image inspect --format '{{.Config.Labels}}' "$1" 2>/dev/null) || { echo missing; return; }
    case $labels in
        *mllint.standin.edition:*) echo "$labels" | sed -E 's/.*mllint\.standin\.edition:([0-9a-f]*).*/\1/' ;;
        *) echo real ;;
    esac
}

make_standins() {
    local archive=$cache/standins-$edition.tar standin of
    if [ -f "$archive" ]; then
        docker load --quiet --input "$archive" >/dev/null
        return
    fi
    if [ "$(id -u)" != 0 ] || [ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]; then
        fail "no registry of images answers, and making stand-ins takes root on Debian"
    fi
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    make_root_file_system "$context/rootfs.tar"
    cp "$authorities" "$context/ca-certificates.crt"
    configuration_of_pip >"$context/pip.conf"
    for standin in "${standins[@]}"; do
        case $standin in
            python3.13) of=(--target python --build-arg SUITE=trixie --build-arg VERSION=3.13.5) ;;
            *) of=(--target "$standin") ;;
        esac
        docker build --quiet --file "$here/standins.Dockerfile" "${of[@]}" \
            --label "mllint.standin.edition=$edition" --tag "mllint-standin/$standin" "$context" >/dev/null
    done
    mkdir -p "$cache"
    rm -f "$cache"/standins-*
    docker save --output "$archive.part" "${standins[@]/#/mllint-standin/}"
    mv "$archive.part" "$archive"
}

push=
if [ "${1:-}" = --registry ]; then
    push=1
    shift
fi
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046  # a reference has no blanks
    set -- $(references_of_tests | sort -u)
fi

export DOCKER_BUILDKIT=1 DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes
docker info >/dev/null 2>&1 || fail "no Docker engine answers (start.sh starts one)"
edition=none
[ ! -f "$authorities" ] || edition=$(edition)
pullable=1
for reference in "$@"; do
    nature=$(nature "$reference")
    if [ "$nature" = real ]; then
        echo "$reference: real"
    elif [ "$nature" = "$edition" ]; then
        echo "$reference: stand-in"
    # One refusal tells that this machine reaches no registry.
    elif [ -n "$pullable" ] && docker pull --quiet "$reference" >/dev/null 2>&1; then
        echo "$reference: real, pulled"
    else
        pullable=
        standin=mllint-standin/$(kind_of "$reference")
        [ "$(nature "$standin")" = "$edition" ] || make_standins
        docker tag "$standin" "$reference"
        echo "$reference: stand-in"
    fi
    if [ -n "$push" ]; then
        case $reference in */*) name=$reference ;; *) name=library/$reference ;; esac
        docker tag "$reference" "$registry/$name"
        docker push --quiet "$registry/$name"
        docker rmi --no-prune "$registry/$name" >/dev/null
    fi
done
