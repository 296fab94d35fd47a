#!/bin/sh
set -e
: "${WORKERS:=2}"
export WORKERS
exec "$@"
