#!/usr/bin/env bash
# Builds and pushes the image, and registers the Flex Template. `./build_template.sh --help`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
    cat <<'END'
Usage: ./build_template.sh [OPTION]...

Build the container image, push it to Artifact Registry, and register the Flex Template in a
bucket as gs://BUCKET/templates/claims/TAG.json. An existing image or template with the same tag is
left unchanged. latest.json, next to it, is a copy of the template from the most recent
successful run. A second run with the same tag changes nothing.

Options, with their equivalent environment variables:
  --project ID       PROJECT     default: the project set in gcloud config
  --region NAME      REGION      region of the repository and the bucket; default: us-central1
  --repository NAME  REPOSITORY  repository in Artifact Registry; default: claims
  --bucket NAME      BUCKET      bucket for the template; default: PROJECT-claims
  --tag NAME         TAG         version of the image and the template; default: `git describe`
  --cloud-build                  build with Cloud Build (cloudbuild.yaml) instead of local Docker;
                                 docs/operate/operations.md shows how to create the
                                 service account it needs
  --image NAME@DIGEST            register this image, which must already be pushed, instead
                                 of building one
  --force                        replace an existing image and template with the same tag
  --dry-run                      print the commands that a first run would execute, without
                                 running them (+ marks changes, ? marks reads);
                                 needs no network
  --help

Examples:
  ./build_template.sh --project my-project
  ./build_template.sh --project my-project --region europe-west3 --tag v1.2.0 --cloud-build
  PROJECT=my-project BUCKET=my-bucket ./build_template.sh --dry-run

Exit codes: 0 success, 1 failure, 2 usage error.
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

# Suggest the flag that an unknown one resembles, if any.
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
[[ -n $project ]] || wrong 'no project given; pass --project ID, or run: gcloud config set project ID'
[[ -n $tag ]] || tag=$(git describe --tags --always --dirty 2>/dev/null) ||
    wrong 'no tag given, and this is not a git checkout; pass --tag NAME'

# Other values could be read as another flag, or as another Cloud Build substitution.
check() {
    [[ ${!1} =~ ^($2)$ ]] || wrong "--$1: ${!1} is not $3"
}
bucket=${bucket:-${project//[:.]/-}-claims}
check project '([a-z0-9-]+(\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]' 'a valid project ID'
check region '[a-z]+(-[a-z]+)+[0-9]+' 'a valid region name'
check repository '[a-z]([a-z0-9-]{0,61}[a-z0-9])?' 'a valid repository name'
check bucket '[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]' 'a valid bucket name'
check tag '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' 'a valid image tag'
[[ -z $image ]] || check image '[a-z0-9][^[:space:],]*@sha256:[0-9a-f]{64}' 'an image with its digest, NAME@sha256:...'
# A modified checkout has no version of its own, so nothing needs protection.
[[ $tag != *-dirty ]] || force=1

# A domain-scoped project is example.com:id in APIs and example.com/id in image names,
slash=/
name=$region-docker.pkg.dev/${project/:/$slash}/$repository/claims
# and id.example.com in service account addresses.
domain=${project%"${project##*:}"} domain=${domain%:}
accounts=${project##*:}${domain:+.$domain}.iam.gserviceaccount.com
account=claims-build@$accounts
template=gs://$bucket/templates/claims/$tag.json
latest=${template%/*}/latest.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exec 3>&1 # printed commands go here, even from within $(...)

# Print a command that changes something, then run it.
run() {
    changed=1
    printf '+%s\n' "$(printf ' %q' "$@")" >&3
    [[ -n $dry_run ]] || "$@"
}

# Run a command that only reads. A dry run assumes that whatever it looks for is missing.
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

# In a new project, the first command would fail without these APIs. A caller who may not list
# the enabled ones carries on.
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
            --location "$region" --uniform-bucket-level-access --public-access-prevention \
            --soft-delete-duration=0
    bucket_seen=1
}

# Prepare what every build needs, and find the source information for the image's labels.
prepare_build() {
    grep -q '^[A-Z_]*=[^@]*$' workshop/images.env &&
        echo 'warning: base images are referenced by tag, and tags can move; run: make pin' >&2
    ensure_bucket
    ask gcloud artifacts repositories describe "$repository" --project "$project" \
        --location "$region" >/dev/null ||
        run gcloud artifacts repositories create "$repository" --project "$project" \
            --location "$region" --repository-format docker
    revision=$(git rev-parse HEAD 2>/dev/null) || revision=''
    [[ $revision =~ ^[0-9a-f]*$ ]] || revision=''
    source=$(git config --get remote.origin.url | sed 's|//[^/]*@|//|') || source=''
    [[ $source =~ ^[A-Za-z0-9@:/._~+-]*$ ]] || source=''
}

build_with_docker() {
    [[ -n $dry_run ]] || command -v docker >/dev/null ||
        fail 'docker is missing; install it, or pass --cloud-build to build without it'
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

# gcloud (seen in 528) drops the streaming modes from metadata.json, so they are put back. Workers
# get exactly this template's image, even if its tag moves. Keys are sorted and empty entries
# dropped so that the text does not depend on the version of gcloud.
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
        "$@" >"$work/printed.json" || fail 'gcloud could not build the template; see its error above'
        python3 -c "$COMPLETE" metadata.json <"$work/printed.json" >"$work/spec.json" 2>/dev/null ||
            fail 'gcloud printed no template specification that names an image'
    fi
}

# Write the spec to an address unless it is already there. Replace a different one only if $2 is set.
publish() {
    local found='' guard=''
    if ! found=$(ask gcloud storage cat "$1"); then
        ensure_bucket
        guard=--if-generation-match=0 # fails if the object exists after all
    elif [[ $found == "$(<"$work/spec.json")" ]]; then
        echo "unchanged: $1"
        return
    elif [[ -z $2 ]]; then
        fail "$1 already exists with different content; pass another --tag, or --force to replace it"
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
    [[ -n $found || -n $dry_run ]] || fail "the image $name:$tag does not exist"
    image=$name@${found:-DIGEST}
fi
write_spec
publish "$template" "$force"
publish "$latest" force

[[ -n $changed ]] || echo 'Nothing changed: the image and the template already exist.'
cat <<END

Launch it with your own subscription, tables and worker account:

  gcloud dataflow flex-template run claims --project $project --region $region \\
    --template-file-gcs-location $template \\
    --staging-location gs://$bucket/staging --temp-location gs://$bucket/temp \\
    --enable-streaming-engine --max-workers 5 \\
    --service-account-email claims-workers@$accounts \\
    --parameters input_subscription=projects/$project/subscriptions/claims \\
    --parameters output_table=$project:claims.claims \\
    --parameters error_table=$project:claims.errors

or in the console, by choosing "Custom Template" and the path $latest:

  https://console.cloud.google.com/dataflow/createjob?project=$project
END
