#!/usr/bin/env bash
# Builds and pushes the image, and registers the Flex Template. `./build_template.sh --help`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'END'
Usage: ./build_template.sh [OPTION]...

Build the container image, push it to Artifact Registry, and register the Flex Template in a
bucket: gs://BUCKET/templates/claims/TAG.json, and latest.json beside it. What is there already
stays as it is, so that a second run changes nothing.

Options, each with the environment variable that does the same:
  --project ID       PROJECT     default: that of `gcloud config`
  --region NAME      REGION      of repository and bucket; default: us-central1
  --repository NAME  REPOSITORY  in Artifact Registry; default: claims
  --bucket NAME      BUCKET      default: PROJECT-claims
  --tag NAME         TAG         version of image and template; default: `git describe`
  --cloud-build                  build with Cloud Build (cloudbuild.yaml), not with Docker here
  --image NAME@DIGEST            build nothing: register this image, which was pushed before
  --force                        replace an image and a template of the same tag
  --dry-run                      print the commands (+ changes something, ? only asks) of a first
                                 run, and run none; needs no network
  --help

Examples:
  ./build_template.sh --project my-project
  ./build_template.sh --project my-project --region europe-west3 --tag v1.2.0 --cloud-build
  PROJECT=my-project BUCKET=my-bucket ./build_template.sh --dry-run

Exit codes: 0 done, 1 failed, 2 called wrongly.
END
}

wrong() {
    printf 'build_template.sh: %s\n' "${1//$'\n'/ }" >&2
    exit 2
}

fail() {
    printf 'build_template.sh: %s\n' "$1" >&2
    exit 1
}

# The flag that an unknown one resembles, where there is one.
meant() {
    python3 - "$1" "${flags[@]}" <<'END' 2>/dev/null || printf ' (see --help)'
import difflib, sys
print("; did you mean " + difflib.get_close_matches(sys.argv[1].lower(), sys.argv[2:], 1)[0] + "?")
END
}
flags=(--project --region --repository --bucket --tag --cloud-build --image --force --dry-run --help)

project=${PROJECT:-} region=${REGION:-us-central1} repository=${REPOSITORY:-claims}
bucket=${BUCKET:-} tag=${TAG:-} image='' builder=docker force='' dry_run='' changed=''

while (($#)); do
    case $1 in
        --project=* | --region=* | --repository=* | --bucket=* | --tag=* | --image=*)
            set -- "${1%%=*}" "${1#*=}" "${@:2}"
            continue
            ;;
        --project | --region | --repository | --bucket | --tag | --image)
            [[ -n ${2:-} && $2 != -* ]] || wrong "$1 needs a value"
            printf -v "${1#--}" %s "$2"
            shift
            ;;
        --cloud-build) builder=cloud_build ;;
        --force) force=1 ;;
        --dry-run) dry_run=1 ;;
        -h | --help) usage && exit ;;
        *) wrong "unknown argument: $1$(meant "${1%%=*}")" ;;
    esac
    shift
done

for program in gcloud python3; do
    command -v "$program" >/dev/null || fail "$program is missing"
done
[[ -n $project ]] || project=$(gcloud config get-value project 2>/dev/null) || true
[[ -n $project ]] || wrong 'which project? Give --project, or run: gcloud config set project ID'
[[ -n $tag ]] || tag=$(git describe --tags --always --dirty 2>/dev/null) ||
    wrong 'which version? Give --tag, for this is no git checkout'

# What is refused here could become another flag, or another substitution of Cloud Build.
check() {
    [[ ${!1} =~ ^($2)$ ]] || wrong "--$1: not $3: ${!1}"
}
bucket=${bucket:-${project//[:.]/-}-claims}
check project '([a-z0-9-]+(\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]' 'a project id'
check region '[a-z]+(-[a-z]+)+[0-9]+' 'a region'
check repository '[a-z]([a-z0-9-]{0,61}[a-z0-9])?' 'a repository'
check bucket '[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]' 'a bucket'
check tag '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' 'a tag of an image'
[[ -z $image ]] || check image '[a-z0-9][^[:space:],]*@sha256:[0-9a-f]{64}' 'an image by its digest, NAME@sha256:...'
# A changed checkout has no version of its own, and so nothing to protect.
[[ $tag != *-dirty ]] || force=1

# A project of a domain is example.com:id to the APIs, example.com/id in the name of an image.
slash=/
name=$region-docker.pkg.dev/${project/:/$slash}/$repository/claims
# ... and id.example.com in the address of a service account.
domain=${project%"${project##*:}"} domain=${domain%:}
account=claims-build@${project##*:}${domain:+.$domain}.iam.gserviceaccount.com
template=gs://$bucket/templates/claims/$tag.json
latest=${template%/*}/latest.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exec 3>&1 # where commands are printed, also from within $(...)

# Run what changes something; print it first.
run() {
    changed=1
    printf '+%s\n' "$(printf ' %q' "$@")" >&3
    [[ -n $dry_run ]] || "$@"
}

# Run what only asks; a dry run takes whatever is asked for to be missing.
ask() {
    if [[ -n $dry_run ]]; then
        printf '?%s\n' "$(printf ' %q' "$@")" >&3
        return 1
    fi
    "$@" 2>/dev/null
}

digest() {
    # `docker images describe` would need another API and another permission.
    local packages=projects/$project/locations/$region/repositories/$repository/packages
    ask gcloud artifacts tags list --project "$project" --location "$region" \
        --repository "$repository" --package claims \
        --filter "name=\"$packages/claims/tags/$tag\"" --format 'value(version.basename())'
}

# Without these the first command of a new project would fail. Who may not see them goes on.
ensure_services() {
    local enabled missing=() name
    enabled=$(ask gcloud services list --enabled --project "$project" --format 'value(config.name)') ||
        [[ -n $dry_run ]] || return 0
    for name in artifactregistry cloudbuild dataflow storage; do
        [[ $name != cloudbuild || $builder == cloud_build ]] || continue
        [[ $'\n'$enabled$'\n' == *$'\n'$name.googleapis.com$'\n'* ]] || missing+=("$name.googleapis.com")
    done
    ((${#missing[@]} == 0)) || run gcloud services enable "${missing[@]}" --project "$project"
}

ensure_bucket() {
    [[ -z ${bucket_seen:-} ]] || return 0
    ask gcloud storage buckets describe "gs://$bucket" >/dev/null ||
        run gcloud storage buckets create "gs://$bucket" --project "$project" \
            --location "$region" --uniform-bucket-level-access --public-access-prevention
    bucket_seen=1
}

# What every build needs, and what labels of the image tell of the source.
prepare_build() {
    grep -q '^[A-Z_]*=[^@]*$' workshop/images.env &&
        echo 'warning: base images go by tags, which their owners can move: make pin' >&2
    ensure_bucket
    ask gcloud artifacts repositories describe "$repository" --project "$project" \
        --location "$region" >/dev/null ||
        run gcloud artifacts repositories create "$repository" --project "$project" \
            --location "$region" --repository-format docker
    revision=$(git rev-parse HEAD 2>/dev/null) || revision=''
    [[ $revision =~ ^[0-9a-f]*$ ]] || revision=''
    source=$(git config --get remote.origin.url | sed 's|//[^/@]*@|//|') || source=''
    [[ $source =~ ^[A-Za-z0-9@:/._~+-]*$ ]] || source=''
}

build_with_docker() {
    [[ -n $dry_run ]] || command -v docker >/dev/null ||
        fail 'docker is missing; --cloud-build does without'
    run gcloud auth configure-docker "$region-docker.pkg.dev" --quiet
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
    # Workers are x86, whatever this machine is.
    run env DOCKER_BUILDKIT=1 docker build --platform linux/amd64 --tag "$name:$tag" \
        --build-arg "IMAGE=$name:$tag" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$revision" --build-arg "SOURCE=$source" .
    run docker push "$name:$tag"
}

build_with_cloud_build() {
    run gcloud builds submit --project "$project" --region "$region" --config cloudbuild.yaml \
        --gcs-source-staging-dir "gs://$bucket/source" --substitutions \
        "_REGION=$region,_REPOSITORY=$repository,_IMAGE=$name,_BUCKET=$bucket,_TAG=$tag,\
_REVISION=$revision,_SOURCE=$source,_FORCE=$force,_SERVICE_ACCOUNT=$account" .
}

# gcloud (seen in 528) drops the streaming modes from metadata.json: put them back. Workers get the
# very image of this template, whatever becomes of its tag. Sorted and without empty entries, so
# that one template is one text whatever gcloud's version.
COMPLETE='
import json, sys
spec = {key: value for key, value in json.load(sys.stdin).items() if value}
spec["metadata"] |= json.load(open(sys.argv[1]))
spec["defaultEnvironment"] = spec.get("defaultEnvironment", {}) | {"sdkContainerImage": spec["image"]}
print(json.dumps(spec, indent=2, sort_keys=True))
'

write_spec() {
    set -- gcloud dataflow flex-template build "$template" --project "$project" --image "$image" \
        --sdk-language PYTHON --metadata-file metadata.json --print-only --format 'value(.)'
    if [[ -n $dry_run ]]; then
        run "$@"
    else
        "$@" | python3 -c "$COMPLETE" metadata.json >"$work/spec.json"
    fi
}

# Write the spec to an address, unless it is there; over another one only if $2 says so.
publish() {
    local found='' guard=''
    if ! found=$(ask gcloud storage cat "$1"); then
        ensure_bucket
        guard=--if-generation-match=0 # should it exist all the same, this fails
    elif [[ $found == "$(<"$work/spec.json")" ]]; then
        echo "unchanged: $1"
        return
    elif [[ -z $2 ]]; then
        fail "$1 exists and differs: a version does not change. Give another --tag, or --force"
    fi
    run gcloud storage cp ${guard:+"$guard"} "$work/spec.json" "$1"
}

if [[ -z $image ]]; then
    ensure_services
    found=$(digest) || found=''
    if [[ -n $found && -z $force ]]; then
        echo "unchanged: $name:$tag"
    else
        prepare_build
        "build_with_$builder"
        found=$(digest) || found=''
    fi
    [[ -n $found || -n $dry_run ]] || fail "there is no image $name:$tag"
    image=$name@${found:-DIGEST}
fi
write_spec
publish "$template" "$force"
publish "$latest" force

[[ -n $changed ]] || echo 'Nothing changed: image and template were there already.'
cat <<END

Launch it, with your own subscription and tables:

  gcloud dataflow flex-template run claims --project $project --region $region \\
    --template-file-gcs-location $template \\
    --staging-location gs://$bucket/staging --temp-location gs://$bucket/temp \\
    --enable-streaming-engine --max-workers 5 \\
    --parameters input_subscription=projects/$project/subscriptions/claims \\
    --parameters output_table=$project:claims.claims \\
    --parameters error_table=$project:claims.errors

or in the console, as "Custom Template" with the path $latest:

  https://console.cloud.google.com/dataflow/createjob?project=$project
END
