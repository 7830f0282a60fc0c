#!/usr/bin/env bash
# Builds the image from the Dockerfile, on stand-ins where its bases cannot be pulled, as `make
# image` does:
#
#   build.sh [NAME [STAGE]]      default: claims-pipeline:local, the last stage
set -euo pipefail
cd "$(dirname "$0")/../../.."
name=${1:-claims-pipeline:local}
export DOCKER_BUILDKIT=1

if ! docker version >/dev/null 2>&1; then
    echo 'No Docker engine answers. Install one (sudo apt-get install docker.io, or Docker Desktop),' \
        'or as root on Debian: .ci/with-docker make image' >&2
    exit 1
fi
arguments=()
for argument in PYTHON_IMAGE BEAM_IMAGE LAUNCHER_IMAGE; do
    base=$(tests/whole/image/base.sh $argument)
    arguments+=(--build-arg "$argument=$base")
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || :)
# Without the name or token that an address may hold.
source=$(git remote get-url origin 2>/dev/null | sed -n 's#^https://\([^@/]*@\)\{0,1\}#https://#p' || :)
[ -z "${2:-}" ] || arguments+=(--target "$2")
# The network of this machine, for the packages: an engine may have no other way out.
docker build --network=host --tag "$name" "${arguments[@]}" --build-arg "IMAGE=$name" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source" .
size=$(docker image inspect --format '{{.Size}}' "$name")
echo "$name is built, $((size / 1000000)) MB"
