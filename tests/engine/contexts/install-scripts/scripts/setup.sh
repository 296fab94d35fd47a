#!/bin/sh
set -e
mkdir -p /srv/models
useradd --uid 1200 --create-home ml
chown ml /srv/models
