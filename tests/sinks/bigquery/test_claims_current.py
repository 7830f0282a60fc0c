"""The current claims: the view on the emulator against a reference in plain Python."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from google.cloud import bigquery

from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table
from pipeline.sinks.bigquery.table_fit import ALIASES
from pipeline.sinks.bigquery.table_setup import TableSetup
from sandbox.synthetic.synthetic import ClaimSystem
from tests.support.bigquery.current_reference import Row, standing
from tests.support.claims.core import accepted

CASES = Path(__file__).parents[2] / "cases/current/histories.json"
FILLED = {"patient_id": "P", "provider_id": "V", "claim_amount": "1", "claim_status": "PAID"}
TUVA = Path(__file__).parents[2] / "cases/tuva/medical_claim.json"
TUVA_TYPES = {
    "varchar": "STRING",
    "integer": "INTEGER",
    "number": "NUMERIC",
    "float": "NUMERIC",  # which Tuva's own test of the type takes too, and which keeps the cents
    "date": "DATE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
HISTORIES = 400


@pytest.fixture(scope="module")
def table(bigquery_client: bigquery.Client) -> TableName:
    """A claims table with its views: made once, so that each test has claims of its own."""
    dataset = f"{bigquery_client.project}.claims_current"
    bigquery_client.create_dataset(dataset)
    name = TableName.parse(f"{dataset}.claims")
    setup, wanted = TableSetup(bigquery_client, create=True), claims_table(Contract.default())
    setup.ensure(name, wanted)
    setup.make_views(name, wanted)
    return name


def insert(client: bigquery.Client, table: TableName, rows: Sequence[Row]) -> None:
    assert not client.insert_rows_json(str(table), [FILLED | row for row in rows])


def found(client: bigquery.Client, relation: str) -> dict[str, list[str]]:
    rows = client.query_and_wait(f"SELECT message_id, superseded_claim_ids FROM {relation}")
    return {row["message_id"]: row["superseded_claim_ids"] for row in rows}


def history(rng: Random, seed: int, number: int) -> Iterator[Row]:
    """1 to 6 versions of a claim, in a random order of arrival, some of them written twice."""
    ids = [f"H{seed}.{number}-{letter}" for letter in "ABCDEF"]
    versions = rng.randint(1, 6)
    payer = rng.choice([None, None, None, "PAYER 1"])
    hours = rng.sample(range(10, 24), versions)
    for place in range(versions):
        claim = ids[rng.randint(0, place)] if rng.random() < 0.3 else ids[place]
        # The first of a chain, the one before, any, one that never comes, the claim itself.
        original = rng.choice(
            [ids[0], ids[max(place - 1, 0)], rng.choice(ids[: place + 1])] * 3
            + [f"H{seed}.{number}-X", claim]
        )
        code = (
            rng.choice(["7", "7", "7", "7", "8", "1", "5", None, " 7 "])
            if place
            else rng.choice(["1", None])
        )
        spelt = rng.choice(
            [str, str.lower, lambda text: f" {text}", lambda text: f"{text[:2]} {text[2:]}"]
        )
        row: Row = {
            "claim_id": spelt(claim) if rng.random() < 0.3 else claim,
            "claim_frequency_code": code,
            "original_claim_id": original if place and rng.random() < 0.85 else None,
            "payer_id": payer,
            "bill_type": rng.choice(["117", "0138", "131"]) if rng.random() < 0.1 else None,
            "submission_date": f"2026-10-{rng.randint(1, 4):02d}" if rng.random() < 0.8 else None,
            "publish_time": f"2026-11-01T{hours[place]:02d}:00:00Z" if rng.random() < 0.9 else None,
            "processing_timestamp": f"2026-11-02T{hours[place]:02d}:{rng.randint(10, 59)}:00Z",
            "message_id": f"{seed}.{number}.{place}",
        }
        yield row
        if rng.random() < 0.1:
            yield row | {"processing_timestamp": "2026-11-03T00:00:00Z"}


@pytest.mark.parametrize("seed", [1, 2])
def test_random_histories(seed: int, bigquery_client: bigquery.Client, table: TableName) -> None:
    rng = Random(seed)
    histories = [list(history(rng, seed, number)) for number in range(HISTORIES)]
    rows = [row for some in histories for row in some]
    rng.shuffle(rows)
    insert(bigquery_client, table, rows)
    shown = found(bigquery_client, f"`{table}_current`")
    for some in histories:
        ids = {row["message_id"] for row in some}
        assert {id: of for id, of in shown.items() if id in ids} == standing(some), some
    hidden = {row["message_id"] for row in rows} - shown.keys()
    assert HISTORIES / 2 < len(hidden)  # the histories are not all of one claim


MESSAGES = 2_000


@pytest.fixture(scope="module")
def generated(bigquery_client: bigquery.Client, table: TableName) -> list[dict[str, Any]]:
    """Generated claims in the table, 15% of them adjustments; those that stand."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    standing: dict[str, dict[str, Any] | None] = {}
    system = ClaimSystem(Random(3), now, detailed=1.0, adjusted=0.15, standing=standing)
    rows = []
    for number in range(MESSAGES):
        row = accepted(orjson.dumps(system.next()))
        moment = (now + timedelta(seconds=number)).isoformat()
        rows.append(row | {"message_id": f"M{number}", "publish_time": moment})
    codes = [row["claim_frequency_code"] for row in rows]
    assert 0.12 < sum(code in ("7", "8") for code in codes) / MESSAGES < 0.18
    assert not bigquery_client.insert_rows_json(str(table), rows)
    return [claim for claim in standing.values() if claim]


def cents(value: Any) -> int:
    return round(value * 100)


def test_sums_by_provider(
    bigquery_client: bigquery.Client, table: TableName, generated: list[dict[str, Any]]
) -> None:
    truth: Counter[str] = Counter()
    for claim in generated:
        truth[claim["provider_id"]] += cents(claim["claim_amount"])

    def sums(relation: str) -> dict[str, int]:
        query = f"SELECT provider_id, SUM(claim_amount) AS total FROM `{relation}`"
        query += " WHERE provider_id LIKE 'PRV%' GROUP BY provider_id"
        found = bigquery_client.query_and_wait(query)
        return {row["provider_id"]: cents(row["total"]) for row in found}

    naive, current = sums(str(table)), sums(f"{table}_current")
    assert current == truth
    wrong = [provider for provider in naive if naive[provider] != truth[provider]]
    assert len(wrong) > len(naive) / 4
    assert sum(naive.values()) > 1.05 * sum(truth.values())


def test_lines(
    bigquery_client: bigquery.Client, table: TableName, generated: list[dict[str, Any]]
) -> None:
    expected = {
        (claim["claim_id"], line["line_number"], cents(line["charge_amount"]))
        for claim in generated
        for line in claim["service_lines"]
    }
    for view, number in (("lines", "line_place"), ("tuva_medical_claim", "claim_line_number")):
        amount = "charge_amount"
        found = bigquery_client.query_and_wait(
            f"SELECT claim_id, {number} AS number, {amount} FROM `{table}_{view}`"
            " WHERE claim_id IN (SELECT claim_id FROM"
            f" `{table}_current` WHERE provider_id LIKE 'PRV%')"
        )
        rows = [(row["claim_id"], row["number"], cents(row[amount])) for row in found]
        assert len(rows) == len(expected)
        assert set(rows) == expected


def test_tuva_has_the_published_columns(bigquery_client: bigquery.Client, table: TableName) -> None:
    published = json.loads(TUVA.read_text())["columns"]
    made = bigquery_client.query_and_wait(f"SELECT * FROM `{table}_tuva_medical_claim` LIMIT 0")
    assert [field.name for field in made.schema] == list(published)
    types = {field.name: ALIASES.get(field.field_type, field.field_type) for field in made.schema}
    assert types == {name: TUVA_TYPES[published[name]] for name in types}


def test_tuva_of_a_claim_without_lines(bigquery_client: bigquery.Client, table: TableName) -> None:
    header = {
        "claim_id": "T1",
        "provider_id": "T",
        "claim_amount": "12.34",
        "paid_amount": "10",
        "bill_type": "131",
        "diagnosis_codes": ["J45.909", "I10"],
        "procedure_codes": ["99213"],
        "service_date": "2026-03-02",
        "message_id": "claims.ndjson#1764000000:17",
        "processing_timestamp": "2026-11-01T00:00:00Z",
    }
    # Amounts of the claim alone stand on its first line; a pharmacy's claim is none of these.
    lines = [{"line_number": 2, "charge_amount": "7"}, {"line_number": 1, "charge_amount": "5.34"}]
    with_lines = header | {"claim_id": "T2", "service_lines": lines}
    insert(
        bigquery_client,
        table,
        [header, with_lines, header | {"claim_id": "T3", "claim_type": "pharmacy"}],
    )
    query = f"SELECT * FROM `{table}_tuva_medical_claim` WHERE claim_id LIKE 'T_'"
    rows = bigquery_client.query_and_wait(f"{query} ORDER BY claim_id, claim_line_number")
    alone, first, second = (dict(row) for row in rows)
    assert (alone["claim_type"], alone["claim_line_number"]) == ("institutional", 1)
    assert (alone["hcpcs_code"], alone["charge_amount"]) == ("99213", Decimal("12.34"))
    assert (alone["diagnosis_code_1"], alone["diagnosis_code_3"]) == ("J45909", None)
    assert (alone["file_name"], alone["data_source"]) == ("claims.ndjson", "claims")
    assert (first["charge_amount"], second["charge_amount"]) == (Decimal("5.34"), Decimal(7))
    assert (first["paid_amount"], second["paid_amount"]) == (Decimal(10), None)


def arrivals(name: str, case: dict[str, Any]) -> Iterator[tuple[list[Row], dict[str, list[str]]]]:
    """The rows of a case in every order of arrival, under ids of their own, and what stands."""
    for number, order in enumerate(itertools.permutations(range(len(case["rows"])))):
        rows = [
            {
                "payer_id": f"{name} {number}",
                "claim_id": claim,
                "claim_frequency_code": code,
                "original_claim_id": original,
                "submission_date": f"2026-10-{day:02d}",
                "publish_time": f"2026-11-01T00:00:{order[place]:02d}Z",
                "processing_timestamp": f"2026-11-02T00:00:{order[place]:02d}Z",
                "message_id": f"{name} {number} {place}",
            }
            for place, (claim, code, original, day) in enumerate(case["rows"])
        ]
        yield rows, {f"{name} {number} {place}": of for place, of in case["stands"]}


def test_cases(bigquery_client: bigquery.Client, table: TableName) -> None:
    cases = json.loads(CASES.read_text())
    orders = [each for name, case in cases.items() for each in arrivals(name, case)]
    rows = [row for some, _ in orders for row in some]
    again = [row | {"processing_timestamp": "2026-11-03T00:00:00Z"} for row in rows[::3]]
    insert(bigquery_client, table, [*rows, *again])
    shown = found(bigquery_client, f"`{table}_current`")
    for some, stands in orders:
        ids = {row["message_id"] for row in some}
        assert {id: of for id, of in shown.items() if id in ids} == stands, some
        assert standing(some) == stands  # the reference is held to the cases too


def links(name: str, tail: int, circle: int) -> list[Row]:
    """Replacements of which each names the next; the last one the first of the circle, if any."""
    ids = [f"{name}{number:02d}" for number in range(tail + circle)]
    named = [*ids[1:], ids[tail] if circle else f"{name}first"]
    return [
        {"claim_id": claim, "claim_frequency_code": "7", "original_claim_id": original}
        for claim, original in zip(ids, named, strict=True)
    ]


def alike(name: str) -> list[list[Row]]:
    """Claims that have nothing to do with each other, however their ids are written."""
    replacement: Row = {"claim_frequency_code": "7", "payer_id": name}
    return [
        [replacement | {"claim_id": "A", "original_claim_id": "  "}],
        [replacement | {"claim_id": "B", "original_claim_id": " "}],
        [replacement | {"claim_id": "C", "original_claim_id": "\t", "claim_frequency_code": None}],
        [{"claim_id": f"{name}|D|1"}],
        [{"claim_id": "D|1", "payer_id": name}],
        [{"claim_id": "1", "payer_id": f"{name}|D"}],
    ]


HOSTILE = {
    **{f"circle {size}": [links(f"K{size}.", 0, size)] for size in range(2, 9)},
    **{f"tail {n} {size}": [links(f"T{n}.{size}.", n, size)] for n in (1, 4) for size in (2, 5, 8)},
    **{f"chain {size}": [links(f"L{size}.", size, 0)] for size in (7, 8, 9, 10, 16)},
    "alike": alike("S"),
}


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_histories(seed: int, bigquery_client: bigquery.Client, table: TableName) -> None:
    """Long chains, circles, blanks. All at the same time, as lines of a file are, in any order."""
    rng, places = Random(seed), {}
    for name, families in HOSTILE.items():
        for number, family in enumerate(families):
            lines = [
                row | {"payer_id": f"{seed} {row['payer_id']}" if row.get("payer_id") else None}
                for row in family
            ]
            for row in lines:  # ids of their own for each seed
                for field in ("claim_id", "original_claim_id"):
                    if (row.get(field) or "").strip() and not row["payer_id"]:
                        row[field] = f"{seed} {row[field]}"
                row["processing_timestamp"] = "2026-11-02T00:00:00Z"
            for row, place in zip(lines, rng.sample(range(1, 2_000), len(lines)), strict=True):
                row["message_id"] = f"{name} {number} {seed}#7-1:{place}"
            places[name, number] = lines
    insert(bigquery_client, table, [row for lines in places.values() for row in lines])
    shown = found(bigquery_client, f"`{table}_current`")
    for family_of, lines in places.items():
        ids = {row["message_id"] for row in lines}
        stands = {id: of for id, of in shown.items() if id in ids}
        assert stands == standing(lines), family_of
        assert len(stands) == 1, family_of


def test_the_last_of_a_file_stands(bigquery_client: bigquery.Client, table: TableName) -> None:
    """Lines of a batch are processed at one time; as a text, 99 comes after 1000."""
    together = {"processing_timestamp": "2026-11-02T00:00:00Z", "submission_date": "2026-10-01"}
    replacement = together | {"claim_frequency_code": "7", "original_claim_id": "O1"}
    rows = [
        together | {"claim_id": "O1", "message_id": "x.json#7-1:0"},
        replacement | {"claim_id": "O2", "message_id": "x.json#7-1:99"},
        replacement | {"claim_id": "O3", "message_id": "x.json#7-1:1000"},
        together | {"claim_id": "O4", "message_id": "8", "claim_index": 10},
        together | {"claim_id": "O4", "message_id": "8", "claim_index": 9, "claim_amount": "2"},
    ]
    insert(bigquery_client, table, rows)
    query = f"SELECT claim_id, claim_index, claim_amount FROM `{table}_current`"
    query += " WHERE REGEXP_CONTAINS(claim_id, '^O[0-9]$') ORDER BY claim_id"
    found = [tuple(row.values()) for row in bigquery_client.query_and_wait(query)]
    assert found == [("O3", None, 1), ("O4", 10, 1)]


def test_range_of_time(bigquery_client: bigquery.Client, table: TableName) -> None:
    rows = [
        {"claim_id": "R1", "message_id": "1", "processing_timestamp": "2020-11-01T00:00:00Z"},
        {
            "claim_id": "R2",
            "claim_frequency_code": "7",
            "original_claim_id": "R1",
            "message_id": "2",
            "processing_timestamp": "2020-11-02T00:00:00Z",
        },
    ]
    insert(bigquery_client, table, rows)
    between = f"`{table}_current_between`(TIMESTAMP '2020-11-01', TIMESTAMP '2020-11-0%d')"
    assert found(bigquery_client, between % 2) == {"1": []}
    assert found(bigquery_client, between % 3) == {"2": ["R1"]}
