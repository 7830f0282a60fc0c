#!/usr/bin/env bash
# From an empty project to a running job: `./deploy.sh --help`. On Windows, use deploy.ps1.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
make --silent --directory="$root" setup >&2
exec "$root/.venv/bin/claims" deploy "$@"
