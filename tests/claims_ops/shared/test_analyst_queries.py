"""The queries of `sql/`: rows in, answers out, on the emulator."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any

import pytest
from google.cloud import bigquery

from claims_ops.profiles.command import NAMES as PROFILES
from claims_ops.shared.analyst_queries import DIRECTORY, NAMES, load
from claims_ops.shared.claim_times import placeholders
from claims_ops.shared.dispositions import DISPOSITIONS_TABLE, judged_claims
from claims_ops.shared.queries import Queries
from pipeline.claims.contract import Contract
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery import views
from pipeline.sinks.bigquery.table_setup import TableSetup
from tests.claims_ops.shared.test_views import VIEWS

CASES = Path(__file__).parents[2] / "cases/queries"


def days(today: date) -> dict[str, str]:
    """The days of the cases, by their placeholders."""
    found = {"TODAY": 0, "YESTERDAY": 1, "LONG_AGO": 40}
    return {name: (today - timedelta(days=ago)).isoformat() for name, ago in found.items()}


def parameters(today: date) -> dict[str, datetime | int | str | list[str]]:
    """Of the queries of `sql/report/`; those of the demo have none."""
    its = days(today)
    return {
        "since": datetime.fromisoformat(f"{its['YESTERDAY']}T00:00:00Z"),
        "until": datetime.fromisoformat(f"{its['TODAY']}T00:00:05Z"),
        "step_seconds": 3600,
        "middle": datetime.fromisoformat(f"{its['TODAY']}T00:00:00Z"),
        "provider": "",
        "providers": ["V1", "V2"],
    }


def this_day() -> date:
    """That of the queries' CURRENT_DATE; never kept, because tests may run over midnight."""
    return datetime.now(UTC).date()


def names(directory: Path, suffix: str) -> list[str]:
    """Of files, without their suffix, as seen from the directory."""
    files = directory.rglob(f"*{suffix}")
    return sorted(path.relative_to(directory).with_suffix("").as_posix() for path in files)


QUERIES = names(CASES / "expected", ".json")
INVESTIGATION = names(CASES / "investigation/expected", ".json")
"""Those of tests/claims_ops/query."""


def case(name: str, today: date | None = None) -> Any:
    its = days(today or this_day())
    return json.loads(Template((CASES / f"{name}.json").read_text()).substitute(its))


def ask(client: bigquery.Client, name: str, tables: Mapping[str, str], today: date) -> list[Any]:
    """The answer as JSON, in an order of our own where the query has none."""
    sql = (DIRECTORY / f"{name}.sql").read_text()
    filled = Template(sql).substitute(placeholders(("provider_specialty",)) | tables)
    given = {key: value for key, value in parameters(today).items() if f"@{key}" in sql}
    answer = Queries(client).rows(filled, given)
    rows = [json.loads(json.dumps(dict(row), default=as_json)) for row in answer]
    return rows if "ORDER BY" in sql else sorted(rows, key=lambda row: row.get("claim_id", ""))


@pytest.fixture(scope="module")
def filled() -> dict[date, Mapping[str, str]]:
    """The tables of each day so far."""
    return {}


@pytest.fixture
def tables(
    bigquery_client: bigquery.Client, filled: dict[date, Mapping[str, str]]
) -> tuple[date, Mapping[str, str]]:
    """Today, and its tables, filled, by their placeholders."""
    today = this_day()
    if today not in filled:
        filled[today] = fill(bigquery_client, today)
    return today, filled[today]


def fill(bigquery_client: bigquery.Client, today: date) -> Mapping[str, str]:
    dataset = f"{bigquery_client.project}.analyst_queries_{today:%Y%m%d}"
    bigquery_client.create_dataset(dataset)
    claims, errors, dispositions = (
        TableName.parse(f"{dataset}.{name}") for name in ("claims", "errors", "claims_dispositions")
    )
    setup = TableSetup(bigquery_client, create=True)
    setup.ensure(claims, claims_table(Contract.default()))
    setup.ensure(errors, errors_table())
    setup.ensure(dispositions, DISPOSITIONS_TABLE)
    assert not bigquery_client.insert_rows_json(str(claims), case("claims", today))
    assert not bigquery_client.insert_rows_json(str(errors), case("errors", today))
    assert not bigquery_client.insert_rows_json(str(dispositions), case("dispositions", today))
    for view in (f"{claims}_current", f"{claims}_current_between"):
        bigquery_client.query_and_wait(views.statements(claims)[view])
    return {
        "CLAIMS_TABLE": str(claims),
        "ERROR_TABLE": str(errors),
        "CURRENT_CLAIMS": f"`{claims}_current`",
        "JUDGED_CLAIMS": judged_claims(f"`{claims}_current`", dispositions),
    }


def as_json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value.isoformat()


@pytest.mark.parametrize("name", QUERIES)
def test_answer(
    name: str, bigquery_client: bigquery.Client, tables: tuple[date, Mapping[str, str]]
):
    today, places = tables
    assert ask(bigquery_client, name, places, today) == case(f"expected/{name}", today)


@pytest.mark.parametrize("name", QUERIES)
def test_no_rows_are_no_error(name: str, bigquery_client: bigquery.Client, dataset: str):
    setup = TableSetup(bigquery_client, create=True)
    empty = {"CLAIMS_TABLE": f"{dataset}.claims", "ERROR_TABLE": f"{dataset}.errors"}
    empty["CURRENT_CLAIMS"] = f"`{empty['CLAIMS_TABLE']}`"  # the report's way without the view
    empty["JUDGED_CLAIMS"] = judged_claims(empty["CURRENT_CLAIMS"], None)
    setup.ensure(TableName.parse(empty["CLAIMS_TABLE"]), claims_table(Contract.default()))
    setup.ensure(TableName.parse(empty["ERROR_TABLE"]), errors_table())
    assert ask(bigquery_client, name, empty, this_day()) == case("of_no_rows").get(name, [])


def test_each_file_has_a_case_and_is_documented():
    files = names(DIRECTORY, ".sql")
    assert {*files} == {*QUERIES, *INVESTIGATION, *VIEWS, *PROFILES}
    documented = (DIRECTORY.parent / "docs/operate/queries.md").read_text()
    assert [name for name in files if f"(../../sql/{name}.sql)" not in documented] == []


def test_the_demo_shows_queries_with_titles():
    assert {*NAMES} <= {*QUERIES}
    assert all(query.title for query in load())
