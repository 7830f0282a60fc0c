#!/usr/bin/env python3
"""Stands in for Beam's `/opt/apache/beam/boot`, the program that starts a Python worker.

By Beam's container contract (https://s.apache.org/beam-fn-api-container-contract): ask the runner
what to run, fetch what it staged, set the environment of the SDK harness, become it. As in the
real one, a container without a worker id is no worker, and a virtual environment is made unless
RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT is set. Left out: installing staged packages (an error here:
the image is to hold all of them), sibling workers, restarts of the harness, logs through the
Fn API.
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

HARNESS = ("python", "-m", "apache_beam.runners.worker.sdk_worker_main")
POOL = ("python", "-m", "apache_beam.runners.worker.worker_pool_main", "--service_port=50000")
VIRTUAL_ENVIRONMENTS = Path("/opt/apache/beam-venv")
NEEDS_PIP = (".whl", ".tar.gz", ".tar", ".zip", "requirements.txt", "extra_packages.txt")
START_SECONDS = 30


def fail(reason: str) -> NoReturn:
    sys.exit(f"boot stand-in: {reason}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="boot", allow_abbrev=False)
    for name in ("id", "provision_endpoint", "logging_endpoint", "artifact_endpoint"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--control_endpoint", default="")
    parser.add_argument("--semi_persist_dir", type=Path, default=Path("/tmp"))
    parser.add_argument("--worker_pool", action="store_true")
    return parser.parse_args()


def connect(url: str) -> Any:
    import grpc

    channel = grpc.insecure_channel(url, options=[("grpc.max_receive_message_length", -1)])
    try:
        grpc.channel_ready_future(channel).result(timeout=START_SECONDS)
    except grpc.FutureTimeoutError:
        fail(f"nobody answers at {url}")
    return channel


def provision(url: str, caller: tuple[tuple[str, str], ...]) -> Any:
    """What the runner wants this worker to run: a ProvisionInfo."""
    from apache_beam.portability.api import beam_provision_api_pb2 as messages
    from apache_beam.portability.api import beam_provision_api_pb2_grpc as services

    service = services.ProvisionServiceStub(connect(url))
    request = messages.GetProvisionInfoRequest()
    return service.GetProvisionInfo(request, metadata=caller, timeout=START_SECONDS).info


def fetch_staged(dependencies: Any, url: str, caller: Any, directory: Path) -> None:
    """Store what the launch staged; a package among it ends the worker."""
    from apache_beam.portability.api import beam_artifact_api_pb2 as messages
    from apache_beam.portability.api import beam_artifact_api_pb2_grpc as services
    from apache_beam.portability.api import beam_runner_api_pb2 as model

    directory.mkdir(parents=True, exist_ok=True)
    service = services.ArtifactRetrievalServiceStub(connect(url))
    wanted = messages.ResolveArtifactsRequest(artifacts=dependencies)
    for artifact in service.ResolveArtifacts(wanted, metadata=caller).replacements:
        name = model.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
        if name.endswith(NEEDS_PIP):
            fail(f"{name} is staged and would have to be installed: it belongs into the image")
        parts = service.GetArtifact(messages.GetArtifactRequest(artifact=artifact), metadata=caller)
        content = b"".join(part.data for part in parts)
        digest = model.ArtifactFilePayload.FromString(artifact.type_payload).sha256
        if digest and hashlib.sha256(content).hexdigest() != digest:
            fail(f"{name} differs from what was staged")
        (directory / Path(name).name).write_bytes(content)


def make_virtual_environment(worker: str) -> None:
    """Only the place of it: what matters is whether it may be written."""
    try:
        (VIRTUAL_ENVIRONMENTS / f"beam-venv-worker-{worker}").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"no virtual environment ({error}); set RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1")


def endpoint_text(endpoints: ModuleType, url: str) -> str:
    from google.protobuf import text_format

    return text_format.MessageToString(endpoints.ApiServiceDescriptor(url=url), as_one_line=True)


def main() -> NoReturn:
    given = parsed()
    if given.worker_pool:
        os.execvp(POOL[0], [*POOL, f"--container_executable={os.path.abspath(__file__)}"])
    if not given.id:
        fail("No id provided.")
    if not given.provision_endpoint:
        fail("No provision endpoint provided.")

    from apache_beam.portability.api import endpoints_pb2 as endpoints
    from google.protobuf import json_format

    caller = (("worker_id", given.id),)
    info = provision(given.provision_endpoint, caller)
    urls = {  # what the runner names wins over the flags
        service: getattr(info, f"{service}_endpoint").url or getattr(given, f"{service}_endpoint")
        for service in ("logging", "artifact", "control")
    }
    for service, url in urls.items():
        if not url:
            fail(f"No {service} endpoint provided.")
    if not os.environ.get("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"):
        make_virtual_environment(given.id)
    if info.dependencies:
        staged = given.semi_persist_dir / "staged"
        fetch_staged(info.dependencies, urls["artifact"], caller, staged)

    os.environ |= {
        "WORKER_ID": given.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options, indent=None),
        "SEMI_PERSISTENT_DIRECTORY": str(given.semi_persist_dir),
        "LOGGING_API_SERVICE_DESCRIPTOR": endpoint_text(endpoints, urls["logging"]),
        "CONTROL_API_SERVICE_DESCRIPTOR": endpoint_text(endpoints, urls["control"]),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    if info.status_endpoint.url:
        status = endpoint_text(endpoints, info.status_endpoint.url)
        os.environ["STATUS_API_SERVICE_DESCRIPTOR"] = status
    for name in {"job_id", "job_name"} & set(info.metadata):
        os.environ[name.upper()] = info.metadata[name]
    print(f"boot stand-in: worker {given.id} becomes {' '.join(HARNESS)}", file=sys.stderr)
    os.execvp(HARNESS[0], HARNESS)


if __name__ == "__main__":
    main()
