#!/usr/bin/env bash
# Prints the name of the base that a build argument of the Dockerfile names, once it is here:
#
#   base.sh PYTHON_IMAGE | BEAM_IMAGE | LAUNCHER_IMAGE
#
# A base that neither is here nor can be pulled gets a stand-in, under its name with standin/ before
# it, so that it is never taken for the real one.
set -euo pipefail
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=1

# One at a time: another process of the tests may want the same.
cache=${CLAIMS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/claims-pipeline}
mkdir -p "$cache"
exec 8>"$cache/bases.lock"
! command -v flock >/dev/null || flock 8

base=$(sed -n "s/^ARG $1=//p" ../../../Dockerfile)
if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
    echo "$base cannot be pulled: a stand-in takes its place, see docs/understand/image.md" >&2
    base=standin/${base%@*}
    case $1 in
    PYTHON_IMAGE) standins/python.sh "$base" ;;
    BEAM_IMAGE)
        boot=$(./beam.sh boot)
        docker build --quiet --file standins/beam.Dockerfile --tag "$base" "${boot%/*}" >/dev/null
        ;;
    LAUNCHER_IMAGE)
        docker build --quiet --file standins/launcher.Dockerfile --tag "$base" standins >/dev/null
        ;;
    esac
fi
echo "$base"
