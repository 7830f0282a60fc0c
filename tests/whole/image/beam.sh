#!/usr/bin/env bash
# Prints the path of one of Beam's own programs, once it is here:
#
#   beam.sh boot       starts a worker in a container; in Beam's image it is /opt/apache/beam/boot
#   beam.sh prism      Beam's local runner, which Beam's DirectRunner would download
#
# It is built from Beam's Go module, in the version of requirements.txt, a minute the first time, and
# kept in ~/.cache/claims-pipeline (CLAIMS_CACHE). Exit code 69: it cannot be had here, and why.
set -euo pipefail
cd "$(dirname "$0")/../../.."
unavailable() { printf '%s\n' "$*" >&2; exit 69; }

case ${1:-} in
boot) package=python/container ;;
prism) package=go/cmd/prism ;;
*) echo 'usage: beam.sh boot | prism' >&2; exit 2 ;;
esac
version=$(sed -n 's/^apache-beam\(\[.*\]\)\{0,1\}==\([^ ]*\).*/\2/p' requirements.txt)
cache=${CLAIMS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/claims-pipeline}
programs=$cache/beam-$version
mkdir -p "$programs"
exec 7>"$programs/lock" # one at a time: another process of the tests may want the same
! command -v flock >/dev/null || flock 7

if [ ! -x "$programs/$1" ]; then
    command -v go >/dev/null || unavailable "Beam's $1 cannot be built, Go is missing:" \
        'sudo apt-get install golang-go, or brew install go'
    build=$(mktemp -d "$programs/build.XXXXXX")
    trap 'rm -rf "$build"' EXIT
    # From a place without a go.mod, and without the C library, which another system has another of.
    (cd "$build" && CGO_ENABLED=0 GOBIN=$build go install -trimpath -ldflags='-s -w' \
        "github.com/apache/beam/sdks/v2/$package@v$version") 2>"$build/log" \
        || unavailable "Beam's $1 $version cannot be built: $(tail -1 "$build/log")"
    mv "$build/${package##*/}" "$programs/$1"
fi
echo "$programs/$1"
