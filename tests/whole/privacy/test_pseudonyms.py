"""With `pseudonymise` no value of a named field comes out of a job, in its two tables either.

Claims with a canary in every text field, and nowhere else, take every way that a message can. The
same claims without the parameter show that the search finds what it is to find.
"""

import base64
import functools
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import clients
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.launch import prepare
from pipeline.privacy.pseudonyms import PREFIX, PSEUDONYM_LENGTH
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite
from pipeline.transforms import sources
from tests.support.bigquery.insert_server import RowError, insert_server
from tests.support.claims.core import CLEAN, CONTRACT
from tests.support.privacy import canaries, job
from tests.support.privacy.canaries import INTEGER, MARK
from tests.support.privacy.observation import observing

NAMES = CONTRACT.names("STRING")
KEY = "Key4b1d-wUf3n0b2Rr8Jm6Yq1Xz7Lc5TdGhK"
BAD, POISON = 77, 78
"""Ages of the patients whose rows the table refuses."""


def line(**changes: Any) -> bytes:
    named = {name: f"{MARK}-{name}" for name in NAMES}
    return json.dumps({**CLEAN, **named, **changes}).encode()


ACCEPTED = (
    line(),
    line(patient_id=INTEGER, provider_id=MARK, notes=None),
    line(Notes=[MARK, INTEGER], member={"patientId": MARK, "more": [{"claim_id": MARK}]}),
    line().replace(b'"patient_id"', b'"\\u0070atient_id"'),
)
UNPARSABLE = (
    line()[:-1],
    b"\xff" + line(),
    line() + line(),
    line()[:-1] + b', "x": NaN}',
    line()[:-1] + b', "x": "\\ud800"}',
    line()[:-1] + b', "x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    f'["{MARK}"]'.encode(),
    line()[:-1] + f', "patient_id": "{MARK}"}}'.encode(),
)
_WRONG = ({MARK: MARK}, [MARK, {MARK: [MARK]}], INTEGER * 10**30, INTEGER + 0.5)
MISTYPED = tuple(line(**{name: wrong}) for name in NAMES for wrong in _WRONG)
TOO_LONG = tuple(
    line(**{name: MARK * 100}) for name in NAMES if "maxLength" in CONTRACT.properties[name]
)
INVALID = (
    line(claim_amount=-1),
    line(claim_amount="x", patient_id=INTEGER, x=1.5),
    line(patient_age={"patient_id": MARK}, diagnosis_codes=[{"notes": MARK}]),
    line(patient_id=PREFIX + (MARK * 9)[: PSEUDONYM_LENGTH - len(PREFIX)]),
)
SURPRISES = tuple(
    line(claim_id=f"{MARK}-surprise-{stage}") for stage in ("parse", "validate", "enrich")
)
REFUSED = (line(patient_age=BAD), line(patient_age=POISON))
TOO_LARGE = line(x="x" * 10_000_000)
REPLAYABLE = (*INVALID[:3], *SURPRISES[1:], *REFUSED, TOO_LARGE)
"""What the error table keeps with pseudonyms; of the others it keeps the structure."""
MESSAGES = (
    *(*ACCEPTED, *UNPARSABLE, *MISTYPED, *TOO_LONG, *INVALID, *SURPRISES, *REFUSED, TOO_LARGE),
    b" ",
)


@pytest.fixture(params=[True, False], ids=["pseudonyms", "clear"])
def arguments(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Those of a job with pseudonyms, and of one without."""
    path = tmp_path / "key"
    path.write_text(KEY)
    given = [f"--pseudonymise={','.join(NAMES)}", f"--pseudonym_key={path}"]
    return given if request.param else []


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of claims, that are read as messages with attributes."""

    def read(*given: Any) -> Iterator[Message]:
        for message in original(*given):
            yield message._replace(attributes={"patientId": MARK, "claim_id": MARK})

    original = sources.read_lines
    monkeypatch.setattr(sources, "read_lines", read)
    path = tmp_path / "claims.ndjson"
    path.write_bytes(b"\n".join(MESSAGES))
    return path


def in_full(row: dict[str, Any]) -> str:
    """All that a row holds, unpacked."""
    data = row.get("raw_bytes") or b""
    data = base64.b64decode(data) if isinstance(data, str) else data
    if row.get("raw_encoding") == "gzip":
        data = gzip.decompress(data)
    return repr({**row, "raw_bytes": data.decode("utf-8", "replace")})


def age_is(age: int) -> Callable[[dict[str, Any]], bool]:
    return lambda row: str(row.get("patient_age")) == str(age)


def check(
    accepted: list[dict[str, Any]], rejected: list[dict[str, Any]], said: Any, arguments: list[str]
) -> None:
    texts = [*map(in_full, accepted), *map(in_full, rejected)]
    found = [text for text in texts if canaries.sightings(text)]
    assert said == {}
    assert len(texts) == len(MESSAGES)
    if not arguments:
        assert len(found) == len(MESSAGES)  # in the attributes of the empty one
        return
    assert found == []
    assert len(accepted) == len(ACCEPTED)
    assert all(
        row[name].startswith(PREFIX)
        for row in accepted
        for name in ("claim_id", "notes")
        if row.get(name)
    )
    stages = {(row["stage"], row["error_code"]) for row in rejected}
    assert stages >= {(stage, "internal_error") for stage in ("parse", "validate", "enrich")}
    assert ("validate", "foreign_pseudonym") in stages
    assert len([1 for stage, _ in stages if stage == "parse"]) == 10
    whole = [row for row in rejected if row["raw_encoding"] != "redacted"]
    assert len(whole) == len(REPLAYABLE)
    for row in whole:
        assert in_full(row).count(PREFIX) >= len(NAMES)


@pytest.mark.usefixtures("surprises")
def test_storage_write(claims: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd):
    small = functools.partial(StorageWrite, limits=AppendLimits(max_request_bytes=10_000_000))
    monkeypatch.setattr(prepare, "StorageWrite", small)  # so that a row can be too large
    with job.server(Contract.default()) as server, observing(capfd) as observation:
        server.is_bad, server.is_poison = age_is(BAD), age_is(POISON)
        endpoint = f"--bigquery_storage_endpoint={server.address}"
        job.run(observation, claims, endpoint, *arguments)
    tables = (server.tables[name].rows for name in (job.CLAIMS, job.ERRORS))
    assert not any(KEY in text for texts in observation.said.values() for text in texts)
    check(*tables, observation.leaks(), arguments)


@pytest.mark.usefixtures("surprises")
@pytest.mark.parametrize("arguments", [True], ids=["pseudonyms"], indirect=True)
def test_streaming_inserts(
    claims: Path, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    def refuse(row: Any) -> RowError | None:
        is_refused = age_is(BAD)(row) or age_is(POISON)(row)
        return RowError("invalid", "notes", f"Cannot convert {row}") if is_refused else None

    with insert_server() as server, observing(capfd) as observation:
        server.refuse = refuse
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        credentials = clients.write_credentials(tmp_path)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        job.run(observation, claims, "--write_method=STREAMING_INSERTS", *arguments)
    tables = (server.rows[f"my-project.claims.{name}"] for name in ("claims", "errors"))
    check(*tables, observation.leaks(), arguments)
