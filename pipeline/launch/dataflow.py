"""What a launch on Dataflow needs beyond our parameters.

Beam and Dataflow tell late what is wrong with it: a bucket that is missing takes minutes, an
update without a running job never ends. Here it takes seconds.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
from apache_beam.internal.gcp import auth
from apache_beam.io.gcp.gcsio import create_storage_client
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
    WorkerOptions,
)
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import dataflow_v1beta3
from google.cloud.storage.retry import DEFAULT_RETRY

from pipeline.claims.mapping.claim_map import PACKAGED_MAPS
from pipeline.launch.options import REFERENCE_FILES, STORED_FILE, ClaimsOptions, ParameterError

MAX_WORKERS = 10
"""Most workers where the launch sets no limit. Dataflow itself allows 100 or, in batch, 2,000."""
AT_LEAST_ONCE, EXACTLY_ONCE = "streaming_mode_at_least_once", "streaming_mode_exactly_once"
"""Options of the service."""
LABEL = "claims-pipeline"
"""Label of every job, with the version of this package: costs are billed by label."""

_SAMPLING = ("enable_always_on_exception_sampling", "enable_data_sampling")
_NO_SAMPLING = "disable_always_on_exception_sampling"
_TIMEOUT_SECONDS = 5
_RETRY = DEFAULT_RETRY.with_timeout(8)  # seconds for all attempts together
_LOCATION = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/\S*")
_READ_AT_LAUNCH = ("claim_schema", "claim_map")
_NEEDED = ("storage.objects.create", "storage.objects.get")
_REPLACEABLE = (  # among others Beam looks forever
    dataflow_v1beta3.JobState.JOB_STATE_RUNNING,
    dataflow_v1beta3.JobState.JOB_STATE_DRAINING,
)
_UNREACHABLE = (GoogleAuthError, RetryError, requests.RequestException)


AMBIGUOUS = "It may not exist, or the account launching the job may lack a role on it."
"""What a refusal of Google may mean: it does not reveal to strangers what exists."""


def is_runner(options: PipelineOptions) -> bool:
    runner = options.view_as(StandardOptions).runner or ""
    return runner.rpartition(".")[2].lower() in ("dataflowrunner", "dataflow")


def prepare(options: PipelineOptions, version: str) -> None:
    """Check and complete the options of a launch on Dataflow; options that are set are kept.

    Raises:
        ParameterError: names the option that no job can come of.
    """
    cloud = options.view_as(GoogleCloudOptions)
    _check_runner_v2(options.view_as(DebugOptions))
    check_places(options.view_as(ClaimsOptions).get_all_options())
    _check_locations(options, cloud)
    if cloud.update:
        _check_running(options, cloud)
    workers = options.view_as(WorkerOptions)
    if workers.max_num_workers is None:
        workers.max_num_workers = max(MAX_WORKERS, workers.num_workers or 0)
    _carry_streaming_mode(options.view_as(DebugOptions), cloud)
    _withhold_samples(options.view_as(DebugOptions))
    label = f"{LABEL}={re.sub('[^a-z0-9_-]', '-', version.lower())}"
    cloud.labels = [label, *_listed(cloud.labels)]  # of two with one key the last counts


def _check_runner_v2(debug: DebugOptions) -> None:
    for experiment in _listed(debug.experiments):
        if experiment.startswith(("disable_runner_v2", "disable_portable_runner")):
            raise ParameterError(
                "experiments", f"{experiment} is not allowed, because Python jobs need Runner v2"
            )


def _check_locations(options: PipelineOptions, cloud: GoogleCloudOptions) -> None:
    names = ("temp_location", "staging_location")  # each stands in for the other
    given = {name: getattr(cloud, name) for name in names if getattr(cloud, name)}
    if not given:
        raise ParameterError(names[0], "is required on Dataflow. Example: gs://my-bucket/temp")
    buckets: dict[str, str] = {}
    for name, location in given.items():
        match = _LOCATION.fullmatch(location)
        if not match:
            raise ParameterError(name, f"{location!r} must have the form gs://bucket/folder")
        buckets.setdefault(match[1], name)
    client = create_storage_client(options, use_credentials=not cloud.no_auth)
    for bucket, name in buckets.items():
        what = f"the bucket {bucket}"
        if bucket.startswith("dataflow-staging-"):
            what += " (the console's default if neither a staging nor a temp location is set)"
        _answer(name, what, _check_bucket, client, bucket)


def _check_bucket(what: str, client: Any, name: str) -> str | None:
    # Beam too gets the bucket before it writes to it.
    bucket = client.get_bucket(name, timeout=_TIMEOUT_SECONDS, retry=_RETRY)
    try:
        granted = bucket.test_iam_permissions(_NEEDED, timeout=_TIMEOUT_SECONDS, retry=_RETRY)
    except NotFound:  # the question, not the bucket: an emulator
        return None
    missing = [permission for permission in _NEEDED if permission not in granted]
    return f"you lack {' and '.join(missing)} on {what}" if missing else None


def check_places(parameters: Mapping[str, Any], *, by_template: bool = False) -> None:
    """Refuse launch parameters that name a local file which another machine would have to read.

    A template's launcher has no more local files than the workers have.

    Raises:
        ParameterError: names the first.
    """
    for name in ("input_files", *REFERENCE_FILES, *(_READ_AT_LAUNCH if by_template else ())):
        path = parameters.get(name)
        if path and not re.fullmatch(STORED_FILE, path) and path not in PACKAGED_MAPS:
            raise ParameterError(name, "must be a gs:// path when running on Dataflow")
    source = parameters.get("pseudonym_key")
    if source and not source.startswith(("projects/", "gs://")):
        raise ParameterError(
            "pseudonym_key",
            "must name a secret version or a gs:// file when running on Dataflow",
        )


def _check_running(options: PipelineOptions, cloud: GoogleCloudOptions) -> None:
    if not cloud.job_name:
        raise ParameterError("job_name", "is required with --update, to name the job to replace")
    if not cloud.project or not cloud.region:
        return  # Beam says so
    _answer("update", f"the job {cloud.job_name}", _find_running, options, cloud)


def _find_running(what: str, options: PipelineOptions, cloud: GoogleCloudOptions) -> str | None:
    found = auth.get_service_credentials(options)
    endpoint = (cloud.dataflow_endpoint or "").rstrip("/")
    local = "localhost" in endpoint  # as Beam has it
    jobs = dataflow_v1beta3.JobsV1Beta3Client(
        credentials=found.get_google_auth_credentials() if found else AnonymousCredentials(),
        transport="rest" if local else None,
        client_options={
            "api_endpoint": (endpoint if local else re.sub("^https?://", "", endpoint)) or None
        },
    )
    request = dataflow_v1beta3.ListJobsRequest(
        project_id=cloud.project,
        location=cloud.region,
        filter=dataflow_v1beta3.ListJobsRequest.Filter.ACTIVE,
    )
    listed: Iterator[Any] = iter(jobs.list_jobs(request, timeout=_TIMEOUT_SECONDS))
    if any(job.name == cloud.job_name and job.current_state in _REPLACEABLE for job in listed):
        return None
    return f"{what} is not running in {cloud.region}; launch without --update"


def _answer(parameter: str, what: str, ask: Callable[..., str | None], *of: Any) -> None:
    """Call a service, and raise ParameterError for anything that prevents the launch."""
    try:
        hindrance = ask(what, *of)
    except NotFound:
        hindrance = f"{what} does not exist"
    except Forbidden as error:
        hindrance = f"{what}: Google returned {error.code}: {error.message}. {AMBIGUOUS}"
        if ask is _check_bucket:
            hindrance += (
                " The account needs roles/storage.legacyBucketReader (storage.buckets.get)."
            )
    except GoogleAPICallError as error:
        hindrance = f"{what}: Google returned {error.code}: {error.message}"
    except _UNREACHABLE as error:
        hindrance = f"{what} cannot be reached: {error}"
    if hindrance:
        raise ParameterError(parameter, hindrance)


def _carry_streaming_mode(debug: DebugOptions, cloud: GoogleCloudOptions) -> None:
    """gcloud has experiments only; the mode of a job is an option of the service."""
    asked = [mode for mode in (AT_LEAST_ONCE, EXACTLY_ONCE) if mode in _listed(debug.experiments)]
    services = _listed(cloud.dataflow_service_options)
    cloud.dataflow_service_options = list(dict.fromkeys([*services, *asked])) or None


def _withhold_samples(debug: DebugOptions) -> None:
    """Unless the operator wants it, Dataflow must not keep claims that raised an exception.

    By default it writes them to the temporary location, for good ("Use data sampling to observe
    pipeline data").
    """
    if not any(experiment in _SAMPLING for experiment in _listed(debug.experiments)):
        debug.add_experiment(_NO_SAMPLING)


def _listed(value: Any) -> list[str]:
    """Beam's repeatable options are None, one text, or a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
