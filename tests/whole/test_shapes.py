"""Claims in other shapes through the whole graph: maps, formats, split messages, privacy."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from claims_ops.replay.message import Replay, replay_of
from pipeline import graph
from pipeline.claims.contract import Contract
from pipeline.claims.formats.delimited import Dialect
from pipeline.claims.history import part_of
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.privacy.pseudonyms import PREFIX
from pipeline.settings import Settings
from pipeline.transforms.sources import ReadFiles
from tests.claims.formats.x12_files import interchange
from tests.claims.mapping.map_cases import examples
from tests.support.memory_table import MemoryTable

PLAIN = Settings(Contract.default(), Rules.default(), 0.5, "0.0.0")
BUNDLE = replace(PLAIN, claim_map=ClaimMap.packaged("fhir_r4_bundle"))
X12 = replace(PLAIN, claim_map=ClaimMap.packaged("x12_837"), input_format="X12")
CANARY = "Canary7f3a"

Row = dict[str, Any]


def run(settings: Settings, source: Iterable[Message] | ReadFiles) -> tuple[list[Row], list[Row]]:
    """The rows of the claims and of the error table."""
    sinks = graph.Sinks(MemoryTable(), MemoryTable())
    if not isinstance(source, ReadFiles):
        source = beam.Create(list(source))
    with beam.Pipeline("FnApiRunner") as pipeline:
        graph.build(pipeline | "ReadMessages" >> source, settings, sinks)
    return sinks.claims.rows, sinks.errors.rows


def bundle(claims: int, resources: int, broken: int) -> Row:
    """A Bundle with so many claims among other resources, one of which has no patient."""
    others = [
        {"fullUrl": f"urn:uuid:p{each}", "resource": {"resourceType": "Patient", "id": f"p{each}"}}
        for each in range(resources - claims)
    ]
    found = [
        {
            "resource": {
                "resourceType": "Claim",
                "id": f"claim-{each}",
                "status": "active",
                "use": "claim",
                "created": "2026-01-02",
                "provider": {"identifier": {"value": "V"}},
                "total": {"value": 10 + each / 100},
                **({} if each == broken else {"patient": {"reference": f"urn:uuid:p{each}"}}),
            }
        }
        for each in range(claims)
    ]
    return {"resourceType": "Bundle", "entry": others + found}


def replayed(row: Row, **changes: Any) -> Message:
    """The message that `claims replay` publishes for a row of the error table."""
    replay = replay_of({**row, "publish_time": None})
    assert isinstance(replay, Replay)
    data = json.dumps(json.loads(replay.data) | changes).encode() if changes else replay.data
    return Message(data, "replay-1", None, replay.attributes)


def test_one_invalid_claim_of_thirty_is_rejected_and_replayed_alone():
    message = Message(json.dumps(bundle(30, 300, broken=17)).encode(), "m-1")
    claims, errors = run(BUNDLE, [message])
    assert len(claims) == 29
    [error] = errors
    assert {row["claims_in_message"] for row in (*claims, error)} == {30}
    assert sorted(row["claim_index"] for row in (*claims, error)) == list(range(30))
    assert {row["map_version"] for row in (*claims, error)} == {BUNDLE.map_version}
    assert (error["stage"], error["error_code"]) == ("validate", "schema_violation")
    assert error["error"].startswith("patient_id: ")
    assert json.loads(error["raw_message"])["claim_id"] == "claim-17"
    assert "claim-16" not in error["raw_message"]

    # No schema can ask for less of a core field, so that the producer fixes the claim.
    again, failed = run(BUNDLE, [replayed(error, patient_id="p17")])
    assert not failed
    [row] = again
    assert (row["claim_id"], row["claim_index"], row["claims_in_message"]) == ("claim-17", 17, 30)
    assert (row["message_id"], row["original_message_id"]) == ("replay-1", "m-1")
    assert row["map_version"] == BUNDLE.map_version

    rejected, failed = run(BUNDLE, [replayed(error)])
    assert not rejected
    assert failed[0]["claim_index"] == 17 and failed[0]["replay_count"] == 1
    assert part_of(replayed(failed[0])) == part_of(replayed(error))


def test_a_tighter_schema_then_the_right_one():
    """The issue's own walk: the schema is wrong, not the claim."""
    document = json.loads(PLAIN.contract.text)
    document["properties"]["claim_id"]["pattern"] = "^(?!claim-17$)"
    tight = replace(BUNDLE, contract=Contract(json.dumps(document)))
    claims, errors = run(tight, [Message(json.dumps(bundle(30, 300, broken=-1)).encode(), "m-1")])
    assert (len(claims), len(errors)) == (29, 1)
    again, failed = run(BUNDLE, [replayed(errors[0])])
    assert [row["claim_id"] for row in again] == ["claim-17"] and not failed


def test_what_is_wrong_with_a_message_of_x12_rejects_all_of_it():
    data = interchange("P", range(3))
    claims, errors = run(
        X12,
        [
            Message(data[: len(data) // 2], "cut"),
            Message(data.replace(b"ST*837", b"ST*277"), "status"),
            Message(b"garbage", "garbage"),
            Message(b"", "empty"),
        ],
    )
    assert not claims
    assert {row["message_id"]: row["error_code"] for row in errors} == {
        "cut": "damaged_file",
        "status": "x12_277",
        "garbage": "invalid_x12",
        "empty": "empty_message",
    }
    assert all(row["raw_size"] is not None for row in errors)


def test_document_of_an_interchange_that_no_map_reads_is_replayed_to_the_map():
    picky = replace(X12, claim_map=ClaimMap("claim.CLM.CLM01 != 'P1' ? {'claim_id': 1}"))
    _, errors = run(picky, [Message(interchange("P", range(3)), "m-1")])
    [error] = [row for row in errors if row["stage"] == "map"]
    assert (error["claim_index"], error["claims_in_message"]) == (1, 3)
    claims, _ = run(X12, [replayed(error)])
    assert [(row["claim_id"], row["claim_index"]) for row in claims] == [("P1", 1)]


def test_csv_files(tmp_path: Path):
    settings = replace(PLAIN, claim_map=ClaimMap.packaged("csv_example"), input_format="CSV")
    [example] = [each for each in examples() if each.path.suffix == ".csv"]
    text = example.path.read_text().replace(",", "|")
    path = tmp_path / "claims.CSV.GZ"
    path.write_bytes(gzip.compress((text + "ragged|row\n").encode("latin-1")))
    dialect = Dialect("|", "ISO-8859-1")
    claims, errors = run(settings, ReadFiles(str(path), "CSV", dialect))
    assert [row["claim_id"] for row in claims] == ["CS-1", "CS-2"]
    [error] = errors
    assert (error["error_code"], error["raw_message"]) == ("ragged_row", "ragged|row\n")
    assert error["attributes"] == [{"key": "line", "value": "4"}]
    assert error["message_id"].startswith(f"{path}#")


def test_damaged_files_do_not_end_the_backfill(tmp_path: Path):
    whole = b"".join(b'{"claim_id": "%d"}\n' % number for number in range(50_000))
    (tmp_path / "a.ndjson").write_bytes(b"{}\n")
    (tmp_path / "cut.ndjson.GZ").write_bytes(gzip.compress(whole)[:-100])
    (tmp_path / "wrong-sum.ndjson").write_bytes(gzip.compress(b"{}\n")[:-8] + bytes(8))
    (tmp_path / "folder").mkdir()
    claims, errors = run(PLAIN, ReadFiles(f"{tmp_path}/*"))
    assert not claims
    damaged = {
        row["message_id"].partition("#")[0].rpartition("/")[2]: row
        for row in errors
        if row["error_code"] == "damaged_file"
    }
    assert set(damaged) == {"cut.ndjson.GZ", "wrong-sum.ndjson"}
    assert damaged["wrong-sum.ndjson"]["message_id"].endswith((":0", ":3"))
    assert {row["stage"] for row in damaged.values()} == {"parse"}
    assert {row["raw_encoding"] for row in damaged.values()} == {"truncated"}
    read = [row for row in errors if "cut" in row["message_id"]]
    assert len(read) > 25_000
    assert int(damaged["cut.ndjson.GZ"]["message_id"].rpartition(":")[2]) == sum(
        len(row["raw_message"]) + 1 for row in read if row["error_code"] != "damaged_file"
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            b'{"resourceType": "Claim", "id": "1"}',
            "the message looks like a FHIR R4 Claim; launch with claim_map=fhir_r4_claim",
        ),
        (
            b'{"resourceType": "ExplanationOfBenefit"}',
            "the message looks like a FHIR R4 ExplanationOfBenefit;"
            " launch with claim_map=fhir_r4_eob",
        ),
        (
            b'{"resourceType": "Bundle", "entry": []}',
            "the message looks like a FHIR R4 Bundle; launch with claim_map=fhir_r4_bundle",
        ),
        (
            interchange("P", range(1)),
            "the message looks like X12; launch with input_format=X12",
        ),
    ],
)
def test_unmapped_shapes_are_recognised(data: bytes, error: str):
    claims, [row] = run(PLAIN, [Message(data, "m-1")])
    assert not claims
    assert (row["error_code"], row["error"], row["violations"]) == ("no_claim", error, [])


def test_skipped_documents_have_no_row():
    document = {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}
    assert run(BUNDLE, [Message(json.dumps(document).encode(), "m-1")]) == ([], [])


COPIES = """{
  "claim_id": id, "patient_id": member.no, "provider_id": "V", "claim_amount": amount,
  "claim_status": "SUBMITTED"
}"""


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text("Key4b1d-wUf3n0b2Rr8Jm6Yq1Xz7Lc5TdGhK")
    return str(path)


def documents() -> list[Message]:
    """Documents that hold a patient where only the map finds it: accepted, and rejected at each
    stage."""
    shapes: list[Any] = [
        {"id": "1", "member": {"no": CANARY}, "amount": 1},
        {"id": "2", "member": {"no": CANARY}, "amount": -1},
        {"id": "3", "member": {"no": CANARY}, "amount": "x"},
        [{"id": "4", "member": {"no": CANARY}, "amount": 4}, {"id": "5", "member": {"no": CANARY}}],
        {"member": {"no": CANARY}, "boom": CANARY},
        {"member": {"no": CANARY}, "nothing": CANARY},
    ]
    messages = [
        Message(json.dumps(each).encode(), f"m-{place}") for place, each in enumerate(shapes)
    ]
    return [*messages, Message(f'{{"member": {{"no": "{CANARY}"}}, '.encode(), "m-cut")]


MAP = ClaimMap(f"$.(boom ? $error(boom) : nothing ? missing : {COPIES})")


@pytest.mark.parametrize("payload", ["FULL", "REDACTED"])
def test_pseudonyms_hold_through_maps(payload: str, key: str):
    settings = replace(
        PLAIN,
        claim_map=MAP,
        error_payload=payload,
        pseudonymisation=Pseudonymisation(("patient_id",), key),
    )
    claims, errors = run(settings, documents())
    assert len(claims) == 2 and len(errors) == 6
    rows = json.dumps([claims, errors], default=str)
    assert CANARY not in rows
    assert all(row["patient_id"].startswith(PREFIX) for row in claims)
    if payload == "FULL":
        by_id = {row["message_id"]: row for row in errors}
        kept = json.loads(by_id["m-1"]["raw_message"])
        assert kept["patient_id"] == claims[0]["patient_id"]
        assert by_id["m-4"]["raw_encoding"] == "redacted"
        # Its replay is the claim with pseudonyms, and not mapped again.
        again, failed = run(settings, [replayed(by_id["m-1"], claim_amount=2)])
        assert not failed
        assert again[0]["patient_id"] == claims[0]["patient_id"]


def test_redacted_rows_hold_no_value_of_a_document():
    claims, errors = run(replace(PLAIN, claim_map=MAP, error_payload="REDACTED"), documents())
    assert len(claims) == 2 and len(errors) == 6
    assert CANARY not in json.dumps(errors, default=str)


def test_no_error_text_holds_a_value():
    _, errors = run(replace(PLAIN, claim_map=MAP), documents())
    assert CANARY not in json.dumps([(row["error"], row["violations"]) for row in errors])
