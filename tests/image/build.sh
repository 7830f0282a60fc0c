#!/usr/bin/env bash
# Builds the image from the Dockerfile, as `make image` does:
#
#   build.sh [NAME]      default: claims-pipeline:local
#
# A base that neither is here nor can be pulled gets a stand-in, under its name with standin/ before
# it, so that it is never taken for the real one.
set -euo pipefail
cd "$(dirname "$0")/../.."
standins=tests/image/standins
name=${1:-claims-pipeline:local}
export DOCKER_BUILDKIT=1

if ! docker version >/dev/null 2>&1; then
    echo 'No Docker engine answers. Install one (sudo apt-get install docker.io, or Docker Desktop),' \
        'or as root on Debian: .ci/with-docker make image' >&2
    exit 1
fi

# Makes the stand-in $2 for the base of the build argument $1.
stand_in() {
    case $1 in
    PYTHON_IMAGE) $standins/python_base.sh "$2" ;;
    BEAM_IMAGE) docker build --quiet --target beam --tag "$2" $standins >/dev/null ;;
    LAUNCHER_IMAGE) docker build --quiet --target launcher --tag "$2" $standins >/dev/null ;;
    esac
}

arguments=()
for argument in PYTHON_IMAGE BEAM_IMAGE LAUNCHER_IMAGE; do
    base=$(sed -n "s/^ARG $argument=//p" Dockerfile)
    if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
        echo "$base cannot be pulled: a stand-in takes its place, see docs/image.md"
        base=standin/$base
        stand_in $argument "$base"
    fi
    arguments+=(--build-arg "$argument=$base")
done

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || :)
# The network of this machine, for the packages: an engine may have no other way out.
docker build --network=host --tag "$name" "${arguments[@]}" --build-arg "IMAGE=$name" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" .
size=$(docker image inspect --format '{{.Size}}' "$name")
echo "$name is built, $((size / 1000000)) MB"
