#!/usr/bin/env bash
# Starts Debian's docker-registry on 127.0.0.1:5000, which engines take for trusted without TLS, and does nothing where a
# registry answers there; stop.sh ends it.
#
#   registry.sh    as root on Debian
set -euo pipefail

home=/opt/mllint-registry
state=/run/mllint-engine
address=127.0.0.1:5000

answers() {
    python3 -c "import urllib.request; urllib.request.urlopen('http://$address/v2/', timeout=2)" 2>/dev/null
}

if answers; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || [ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    echo "registry.sh: no registry answers at $address, and starting one takes root on Debian" >&2
    exit 1
fi
if [ ! -x "$home/usr/bin/docker-registry" ]; then
    # Unpacked, not installed: the package would start a service on all addresses of the machine.
    downloads=$(mktemp -d)
    trap 'rm -rf "$downloads"' EXIT
    apt-get update -qq
    (cd "$downloads" && apt-get -qq -o APT::Sandbox::User=root download docker-registry)
    dpkg-deb -x "$downloads"/docker-registry_*.deb "$home"
fi
mkdir -p "$state" /var/lib/mllint-registry
cat >"$state/docker-registry.yml" <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /var/lib/mllint-registry}, delete: {enabled: true}}
http: {addr: "$address"}
END
setsid nohup "$home/usr/bin/docker-registry" serve "$state/docker-registry.yml" >"$state/docker-registry.log" 2>&1 </dev/null &
echo $! >"$state/docker-registry.pid"
for _ in $(seq 100); do
    if answers; then
        exit 0
    fi
    sleep 0.1
done
cat "$state/docker-registry.log" >&2
exit 1
