# From an empty project to a running job: `.\deploy.ps1 --help`. On Linux and macOS, use deploy.sh.
$ErrorActionPreference = 'Stop'
$venv = Join-Path $PSScriptRoot '.venv'
$python = Join-Path $venv 'Scripts\python.exe'
$claims = Join-Path $venv 'Scripts\claims.exe'
if (-not (Test-Path $claims)) {
    py -3 -m venv $venv
    if ($LASTEXITCODE) { exit $LASTEXITCODE }
    & $python -m pip install --quiet --require-hashes --requirement (Join-Path $PSScriptRoot 'requirements.txt')
    if ($LASTEXITCODE) { exit $LASTEXITCODE }
    & $python -m pip install --quiet --no-deps --editable $PSScriptRoot
    if ($LASTEXITCODE) { exit $LASTEXITCODE }
}
& $claims deploy @args
exit $LASTEXITCODE
