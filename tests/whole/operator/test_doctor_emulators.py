"""`claims doctor` on emulators: all is well, or what is broken is named, and its fix fixes it."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.pubsub_v1 import PublisherClient, SubscriberClient

from claims_ops.doctor.checkup import SERVICES
from claims_ops.main import main
from sandbox.emulators import emulators
from sandbox.emulators.emulators import PROJECT, PubsubServer
from tests.support.google.gcloud import Gcloud
from tests.support.google.storage import Storage

HERE = {"bucket", "subscription", "dead-letter", "retention", "table"}
VIEWS = ("current", "current_between", "lines", "tuva_medical_claim")


@dataclass
class Scene:
    """A set-up of its own name on the emulators."""

    name: str
    bucket: str
    bigquery: bigquery.Client
    capsys: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        self.subscriptions = SubscriberClient(credentials=AnonymousCredentials())
        self.topics = PublisherClient(credentials=AnonymousCredentials())
        self.topic = f"projects/{PROJECT}/topics/{self.name}"
        self.subscription = f"projects/{PROJECT}/subscriptions/{self.name}"
        self.dataset = f"{PROJECT}.{self.name.replace('-', '_')}"
        self.words = [f"--project={PROJECT}", f"--name={self.name}"]

    def doctor(self, *more: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document."""
        said = [*self.words, f"--bucket={self.bucket}", "--json", *more]
        code = main(["doctor", *said])
        out, err = self.capsys.readouterr()
        assert err == ""
        return code, json.loads(out)

    def change_subscription(self, **fields: Any) -> None:
        """Another subscription of the same name."""
        kept = self.subscriptions.get_subscription(subscription=self.subscription)
        wanted = type(kept).to_dict(kept) | fields
        self.subscriptions.delete_subscription(subscription=self.subscription)
        self.subscriptions.create_subscription(
            {key: value for key, value in wanted.items() if value and key != "state"}
        )

    def change_table(self, name: str, change: Callable[[bigquery.Table], None]) -> None:
        """Another table of the same name."""
        found = self.bigquery.get_table(f"{self.dataset}.{name}")
        wanted = bigquery.Table(found.reference, found.schema)
        wanted.time_partitioning = found.time_partitioning
        change(wanted)
        self.bigquery.delete_table(found.reference)
        self.bigquery.create_table(wanted)


@pytest.fixture
def scene(
    emulated: None,
    pubsub_server: PubsubServer,
    bigquery_client: bigquery.Client,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Scene:
    """In which all is well."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
    # With a duration in it, which is not to be taken for a flag's.
    name = f"t-31d-{uuid.uuid4().hex[:12]}"
    emulators.create_source(pubsub_server, name)
    scene = Scene(name, storage.new_bucket(), bigquery_client, capsys)
    assert main(["tables", *scene.words, "--location=US"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{scene.dataset}.claims: created",
        *(f"{scene.dataset}.claims_{view}: created or replaced" for view in VIEWS),
        f"{scene.dataset}.errors: created",
        f"{scene.dataset}.claims_dispositions: created",
    ]
    return scene


def broken(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in document["checks"] if check["status"] != "pass"]


def test_all_is_well(scene: Scene):
    code, document = scene.doctor()
    assert (code, document["status"], broken(document)) == (0, "pass", [])
    assert {check["check"] for check in document["checks"]} == HERE
    assert document["left_out"] == [
        name for name in SERVICES if name not in {*HERE, "files", "documents"}
    ]
    assert [check["of"] for check in document["checks"] if check["check"] == "table"] == [
        f"{scene.dataset}.claims",
        f"{scene.dataset}.errors",
    ]
    assert main(["doctor", *scene.words, f"--bucket={scene.bucket}"]) == 0
    lines = scene.capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["pass"] * 6
    assert lines[-1].startswith("6 pass, 0 fail, 0 unknown; skipped on emulators")
    assert main(["doctor", *scene.words, f"--bucket={scene.bucket}", "--quiet"]) == 0
    assert scene.capsys.readouterr().out.splitlines() == lines[-1:]


def without_subscription(scene: Scene) -> None:
    scene.subscriptions.delete_subscription(subscription=scene.subscription)


def without_topics(scene: Scene) -> None:
    scene.topics.delete_topic(topic=scene.topic)
    scene.topics.delete_topic(topic=f"{scene.topic}-dead-letter")


def without_policy(scene: Scene) -> None:
    scene.change_subscription(dead_letter_policy=None)


def without_keeper(scene: Scene) -> None:
    scene.subscriptions.delete_subscription(subscription=f"{scene.subscription}-dead-letter")


def forgetful(scene: Scene) -> None:
    scene.change_subscription(message_retention_duration={"seconds": 3600})


def pushing(scene: Scene) -> None:
    scene.change_subscription(push_config={"push_endpoint": "http://127.0.0.1:9/"})


def without_bucket(scene: Scene) -> None:
    scene.bucket = f"none-{uuid.uuid4().hex[:12]}"


def without_column(scene: Scene) -> None:
    def change(table: bigquery.Table) -> None:
        table.schema = [field for field in table.schema if field.name != "risk_reasons"]

    scene.change_table("claims", change)


def without_table(scene: Scene) -> None:
    scene.bigquery.delete_table(f"{scene.dataset}.errors")


def without_dataset(scene: Scene) -> None:
    scene.bigquery.delete_dataset(scene.dataset, delete_contents=True)


Fault = Callable[[Scene], None]


@pytest.mark.parametrize(
    "faults",
    [
        {
            without_bucket: ("bucket", "does not exist"),
            without_subscription: ("subscription", "does not exist"),
            without_column: ("table", "is missing column risk_reasons"),
        },
        {
            without_topics: ("subscription", "its topic was deleted"),
            without_table: ("table", "does not exist"),
        },
        {
            without_policy: ("dead-letter", "no dead-letter policy"),
            forgetful: ("retention", "for only 0.042 days"),
            without_dataset: ("table", "the dataset"),
        },
        {
            pushing: ("subscription", "is a push subscription"),
            without_keeper: ("dead-letter", "has no subscription"),
        },
    ],
    ids=lambda faults: ", ".join(fault.__name__ for fault in faults),
)
def test_what_is_broken_is_named_and_fixed_by_what_is_shown(
    faults: dict[Fault, tuple[str, str]], scene: Scene, gcloud: Gcloud
):
    for fault in faults:
        fault(scene)
    code, document = scene.doctor()
    failed = {check["check"]: check for check in document["checks"] if check["status"] == "fail"}
    assert (code, document["status"]) == (1, "fail")
    assert list(failed) == [name for name, _ in faults.values()]
    for name, message in faults.values():
        assert message in failed[name]["message"]
        run(failed[name]["run"], gcloud)
    code, document = scene.doctor()
    assert (code, broken(document)) == (0, [])


def run(command: str, gcloud: Gcloud) -> None:
    """As an operator would, in a shell with our programs."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {"HOME": str(gcloud.home), "CLOUDSDK_CONFIG": str(gcloud.home / "gcloud")}
    quiet = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    ended = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | own | quiet | {"PATH": programs},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stderr}"


def as_text(table: bigquery.Table) -> None:
    table.schema = [
        bigquery.SchemaField("claim_amount", "STRING") if field.name == "claim_amount" else field
        for field in table.schema
    ]


def unpartitioned(table: bigquery.Table) -> None:
    table.time_partitioning = None


@pytest.mark.parametrize(
    "change, message, fix",
    [
        (as_text, "claim_amount is STRING, not NUMERIC", "--parameter=output_table={0}.claims_2"),
        (
            unpartitioned,
            "not partitioned by processing_timestamp",
            "CREATE TABLE `{0}.claims_by_day`",
        ),
    ],
)
def test_table_that_cannot_serve(change, message: str, fix: str, scene: Scene):
    scene.change_table("claims", change)
    code, document = scene.doctor("--check=table")
    (failed,) = broken(document)
    assert code == 1 and failed["of"] == f"{scene.dataset}.claims"
    assert message in failed["message"]
    assert fix.format(scene.dataset) in failed["run"]


def test_retention_of_errors_that_is_not_as_asked(scene: Scene):
    code, document = scene.doctor("--parameter=error_retention_days=30", "--check=table")
    (failed,) = broken(document)
    assert (code, failed["of"]) == (1, f"{scene.dataset}.errors")
    expected = "partitions are kept forever, not for 30 days (error_retention_days=30)"
    assert failed["message"] == expected
    assert main(shlex.split(failed["run"])[1:]) == 0
    assert f"{scene.dataset}.errors: set retention to 30 days" in scene.capsys.readouterr().out
    assert scene.doctor("--parameter=error_retention_days=30", "--check=table")[0] == 0


def test_other_sources(scene: Scene, tmp_path: Path):
    topic = f"--parameter=input_topic={scene.topic}"
    assert scene.doctor(topic)[0] == 0
    scene.topics.delete_topic(topic=scene.topic)
    code, document = scene.doctor(topic)
    (failed,) = broken(document)
    assert (code, failed["check"], failed["of"]) == (1, "subscription", scene.topic)
    assert f"gcloud pubsub topics create {scene.topic}" in failed["run"]

    files = f"--parameter=input_files={tmp_path}/*.ndjson"
    code, document = scene.doctor(files, "--check=files")
    assert (code, broken(document)[0]["check"]) == (1, "files")
    (tmp_path / "claims.ndjson").touch()
    assert scene.doctor(files, "--check=files")[0] == 0


def test_documents(scene: Scene, tmp_path: Path):
    rules = tmp_path / "rules.json"
    rules.write_text("{")
    code, document = scene.doctor(f"--parameter=rules={rules}")
    failed, *unknown = broken(document)
    assert (code, failed["check"], failed["of"]) == (1, "documents", str(rules))
    assert [check["check"] for check in unknown] == ["table", "table"]  # nobody knows the columns
    assert {check["status"] for check in unknown} == {"unknown"}


@pytest.fixture
def silence() -> Iterator[str]:
    """The address of a server that takes connections, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_who_does_not_answer_is_unknown_soon(
    scene: Scene, silence: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("PUBSUB_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"):
        address = silence if name.startswith("PUBSUB") else f"http://{silence}"
        monkeypatch.setenv(name, address)
    began = time.monotonic()
    code, document = scene.doctor("--timeout=1")
    assert time.monotonic() - began < 8
    assert (code, document["status"]) == (0, "unknown")
    assert {check["status"] for check in document["checks"]} == {"unknown"}
    assert all(check["message"] and check["run"] for check in document["checks"])


def test_nobody_there_is_unknown(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    for name in ("PUBSUB_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "STORAGE_EMULATOR_HOST"):
        monkeypatch.setenv(
            name, "127.0.0.1:9" if name.startswith("PUBSUB") else "http://127.0.0.1:9"
        )
    code, document = scene.doctor("--timeout=3")
    assert (code, {check["status"] for check in document["checks"]}) == (0, {"unknown"})


def test_tables_of_a_missing_dataset_need_a_location(scene: Scene):
    scene.bigquery.delete_dataset(scene.dataset, delete_contents=True)
    assert main(["tables", *scene.words]) == 1
    out, err = scene.capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "claims: output_table: the dataset" in err and "does not exist" in err
    assert main(["tables", *scene.words, "--location=US"]) == 0
    assert main(["tables", *scene.words]) == 0
    assert "claims: unchanged" in scene.capsys.readouterr().out
