"""The whole repair as an operator does it: a wrong claim schema, its fix, replay, the proof."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops import main as cli
from pipeline import clients
from pipeline.claims.contract import default_contract_text
from sandbox.demo.local_pipeline import LocalPipeline, Route
from sandbox.emulators.emulators import PROJECT, PubsubServer, create_topic_and_subscription
from tests.sandbox.demo.test_demo import needs_pubsub, run

CLAIMS = 300
MALFORMED = 30
WAIT_SECONDS = 45
TABLES = f"{PROJECT}.claims_demo"
BOTH_TABLES = ("--output-table", f"{TABLES}.claims", "--error-table", f"{TABLES}.errors")


def reconciled() -> int:
    return cli.main(["reconcile", *BOTH_TABLES, "--published", str(CLAIMS)])


def replayed(topic: str) -> int:
    return cli.main(["replay", "--error-table", f"{TABLES}.errors", "--topic", topic, "--yes"])


def too_strict(path: Path) -> Path:
    """The claim schema with a limit that half of the honest claims are above."""
    contract = json.loads(default_contract_text())
    contract["properties"]["claim_amount"]["maximum"] = 200
    path.write_text(json.dumps(contract))
    return path


@needs_pubsub
@pytest.mark.timeout(180)
def test_what_was_rejected_wrongly_becomes_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    schema = too_strict(tmp_path / "claim.schema.json")
    options = ("--claims", str(CLAIMS), "--bad-share", "0.1", "--keep")
    with run(*options, "--", f"--claim_schema={schema}", temporary=tmp_path) as demo:
        for line in demo.process.stdout:
            if exported := re.match(r"  export (\w+)=(\S+)", line):
                monkeypatch.setenv(*exported.groups())
            if line.startswith("Run a query"):
                break
        with clients.bigquery_client(PROJECT) as client:
            assert reconciled() == 0
            _, claims, errors = balance(capsys)
            assert errors > MALFORMED * 3

            topic, subscription = create_topic_and_subscription(
                PubsubServer(os.environ["PUBSUB_EMULATOR_HOST"]), "repaired", "repaired"
            )
            route = Route(topic, subscription, f"{TABLES}.claims", f"{TABLES}.errors")
            with LocalPipeline(route.parameters(), tmp_path / "repaired.log") as pipeline:
                assert replayed(topic) == 0
                assert f"replayed {errors} of {errors} messages" in capsys.readouterr().out
                deadline = time.monotonic() + WAIT_SECONDS
                while reconciled() and time.monotonic() < deadline:
                    pipeline.check()
                    time.sleep(0.5)
                out = capsys.readouterr().out
                assert out.splitlines()[-3:] == [
                    f"published {CLAIMS} = {CLAIMS - MALFORMED} claims + {MALFORMED} errors",
                    f"replays: {errors} of {errors} recorded replays have a row",
                    "duplicates: none",
                ]

                assert replayed(topic) == 0
                assert "replayed 0 messages" in capsys.readouterr().out
                assert reconciled() == 0
            repaired = number(client, "COUNTIF(original_message_id IS NOT NULL)", "claims")
            assert repaired == CLAIMS - MALFORMED - claims
            assert number(client, "COUNTIF(replay_count = 1)", "errors") == MALFORMED
        demo.process.send_signal(signal.SIGINT)
        assert demo.end()[0] == 0


def balance(capsys: pytest.CaptureFixture[str]) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", capsys.readouterr().out.splitlines()[0])))


def number(client: bigquery.Client, asked: str, table: str) -> Any:
    [row] = client.query_and_wait(f"SELECT {asked} FROM `{TABLES}.{table}`")
    return row[0]
