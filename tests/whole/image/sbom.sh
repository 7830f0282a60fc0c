#!/usr/bin/env bash
# Writes the bill of materials of an image, CycloneDX, as `make sbom` does:
#
#   sbom.sh [NAME]      default: claims-pipeline:local
#
# build/sbom.cdx.json lists all packages, of Debian and of Python; build/image.json, in Trivy's own
# format, in addition whatever looks like a secret. Nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/../../.."
name=${1:-claims-pipeline:local}
export TRIVY_QUIET=true TRIVY_CACHE_DIR=build/trivy TRIVY_SKIP_VERSION_CHECK=true

export PATH=.venv/bin:$PATH
command -v trivy >/dev/null || { echo 'Trivy is missing: brew install trivy' >&2; exit 1; }

mkdir -p build
trivy image --offline-scan --scanners secret --list-all-pkgs --format json \
    --output build/image.json "$name"
trivy convert --format cyclonedx --output build/sbom.cdx.json build/image.json
echo "build/sbom.cdx.json: $(grep -c '"purl":' build/sbom.cdx.json) packages of $name"
