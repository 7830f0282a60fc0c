"""Reference files and rules that change while a streaming job runs, on the emulators.

REFERENCE_PAIRS=2000000 has as many code pairs as CMS publishes.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from pipeline import main
from pipeline.claims.rules import default_rules_text
from sandbox.emulators.emulators import PubsubServer
from tests.conftest import Feed
from tests.support.claims import reference_lists
from tests.support.claims.case_files import clean_claim
from tests.whole.test_jobs import job, publish, tables

PAIRS = int(os.environ.get("REFERENCE_PAIRS", "20000"))
EXCLUSIONS, UNITS = max(100, PAIRS // 25), max(100, PAIRS // 160)
SOUGHT = "1972902351"
"""The NPI that is excluded by the second list, and by the first not yet."""
WAIT_SECONDS = 200
MAX_PAUSE_SECONDS = 2.0 if PAIRS > 100_000 else 10.0  # small ones run beside other tests
MAX_GROWTH_MB = 150
OLD_WEIGHT, NEW_WEIGHT = 0.3, 0.45


def exclusions(first: str) -> str:
    header = reference_lists.text("excluded_providers").splitlines(keepends=True)[0]
    row = '"","","","","","","","{}","","","","","","1128a1","20200101","00000000","",""\n'
    npis = (first, *(f"2{number:09d}" for number in range(EXCLUSIONS)))
    return header + "".join(map(row.format, npis))


def units(limit: int) -> str:
    header = "HCPCS/CPT Code,Practitioner Services MUE Values,MUE Adjudication Indicator,Why\n"
    return header + "".join(f"{code:05d},{limit},3 Date\n" for code in range(UNITS))


def pairs(indicator: int) -> str:
    header = reference_lists.text("ptp_edits").splitlines(keepends=True)[2]
    each = max(1, PAIRS // 10_000)
    return header + "".join(
        f"{one:05d}\t{(one * 7 + two * 13) % 99_999:05d}\t \t20200101\t*\t{indicator}\tMade up\n"
        for one in range(10_000)
        for two in range(each)
    )


def rules(weight: float) -> str:
    return default_rules_text().replace(f'"weight": {OLD_WEIGHT}', f'"weight": {weight}', 1)


def version(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def put(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Scene:
    """A job that judges a steady stream of one claim, and what became of it."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._table = f"{dataset}.claims"
        self.sent = 0
        self.stopped = threading.Event()

    def messages(self) -> Iterator[bytes]:
        """Until it is stopped, 10 a second: BundleBasedDirectRunner takes few at a time."""
        for number in count():
            if self.stopped.wait(0.1):
                return
            self.sent += 1
            yield json.dumps(
                clean_claim()
                | {"claim_id": f"C{number}", "billing_npi": SOUGHT, "claim_amount": 6000}
            ).encode()

    def rows(self) -> list[dict[str, Any]]:
        """In the order in which they were judged."""
        columns = "fraud_risk_score, risk_reasons, risk_evidence, reference_versions"
        found = self._client.query_and_wait(
            f"SELECT claim_id, processing_timestamp AS judged, {columns} FROM `{self._table}`"
            " ORDER BY processing_timestamp",
            wait_timeout=30,
        )
        return [dict(row) for row in found]

    def wait_for(self, what: Callable[[dict[str, Any]], bool]) -> None:
        """Until the row that was judged last is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        last: dict[str, Any] = {}
        while time.monotonic() < deadline:
            time.sleep(1)
            try:
                last = self.rows()[-1]
            except Exception as error:  # there is no table yet
                last = {"error": str(error)}
                continue
            if last and what(last):
                return
        pytest.fail(f"not within {WAIT_SECONDS} s; the last row: {last}")


@pytest.mark.timeout(900)
def test_files_change_in_a_running_job(
    bigquery_server: Any,
    bigquery_client: bigquery.Client,
    pubsub_server: PubsubServer,
    feed: Feed,
    dataset: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
):
    for server in (bigquery_server, pubsub_server):
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
    before = {
        "excluded_providers": exclusions("1111111112"),
        "mue_table": units(2),
        "ptp_edits": pairs(0),
        "rules": rules(OLD_WEIGHT),
    }
    after = {
        "excluded_providers": exclusions(SOUGHT),
        "mue_table": units(3),
        "ptp_edits": pairs(1),
        "rules": rules(NEW_WEIGHT),
    }
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    given = [f"--{name}={tmp_path / name}" for name in before]
    scene = Scene(bigquery_client, dataset)
    stream = threading.Thread(target=publish, args=(pubsub_server, feed.topic, scene.messages()))
    with job(
        "--runner=DirectRunner",
        f"--input_subscription={feed.subscription}",
        *tables(dataset),
        *given,
        "--reference_refresh_minutes=0.05",
    ) as process:
        stream.start()
        try:
            old = sorted(f"{name}={version(text)}" for name, text in before.items())
            scene.wait_for(lambda row: row["reference_versions"] == old)
            time.sleep(3)
            small = resident_mb(process)
            for name, text in after.items():
                put(tmp_path / name, text)
            new = sorted(f"{name}={version(text)}" for name, text in after.items())
            largest = small
            swapped = threading.Event()

            def watch_memory() -> None:
                nonlocal largest
                while not swapped.wait(0.05):
                    largest = max(largest, resident_mb(process))

            memory = threading.Thread(target=watch_memory)
            memory.start()
            scene.wait_for(lambda row: row["reference_versions"] == new)
            # What is broken now must change nothing.
            broken = time.monotonic()
            put(tmp_path / "rules", rules(NEW_WEIGHT).replace("claim_amount", "claim_amuont"))
            put(tmp_path / "mue_table", units(3)[: len(units(3)) // 3])
            (tmp_path / "ptp_edits").unlink()
            time.sleep(8)
            swapped.set()
            memory.join()
        finally:
            scene.stopped.set()
            stream.join()
        deadline = time.monotonic() + 2 * WAIT_SECONDS
        while time.monotonic() < deadline and len(scene.rows()) < scene.sent:
            time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == main.EXIT_INTERRUPTED, said.decode()
    rows = scene.rows()
    assert sorted(row["claim_id"] for row in rows) == sorted(f"C{n}" for n in range(scene.sent))
    for row in rows:
        names = dict(each.split("=") for each in row["reference_versions"])
        is_excluded = names["excluded_providers"] == version(after["excluded_providers"])
        has_new_rules = names["rules"] == version(after["rules"])
        score = NEW_WEIGHT if has_new_rules else OLD_WEIGHT
        assert row["fraud_risk_score"] == min(1, round(score + 0.6 * is_excluded, 2))
        assert row["risk_reasons"] == ["high_amount", *["excluded_provider"] * is_excluded]
        assert ("excluded since 2020-01-01, basis 1128a1" in row["risk_evidence"]) == is_excluded
        assert names.keys() == before.keys()
    assert dict(each.split("=") for each in rows[-1]["reference_versions"]) == {
        name: version(text) for name, text in after.items()
    }
    warnings = [line for line in said.decode().splitlines() if "reference files: " in line]
    minutes = (time.monotonic() - broken) / 60
    assert 1 <= len(warnings) <= 1 + minutes, warnings  # one line a minute, for all of them
    assert all("stays in use" in line for line in warnings)
    times = [row["judged"] for row in rows if isinstance(row["judged"], datetime)]
    pause = max((b - a).total_seconds() for a, b in pairwise(times))
    print(
        f"{PAIRS:,} pairs, {EXCLUSIONS:,} exclusions, {UNITS:,} units; {scene.sent:,} claims, none"
        f" lost; longest pause {pause:.2f} s; memory {small:.0f} MB, at most {largest:.0f} MB"
    )
    assert pause < MAX_PAUSE_SECONDS
    assert largest - small < MAX_GROWTH_MB
