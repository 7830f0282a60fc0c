"""The benchmark measures what it says: its pipelines do the same work, and no row is lost."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipeline import clients
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.stages import through
from sandbox.synthetic.malformed import kinds
from tests.support.bigquery.insert_server import InsertServer, insert_server
from workshop.benchmarks import against, inputs, report, shapes, stock_contract, stock_rules
from workshop.benchmarks.contestants import CLAIMS, CONTESTANTS, ERRORS, settings
from workshop.benchmarks.inputs import Input
from workshop.benchmarks.measure import (
    THIS,
    Checkout,
    Inputs,
    Wrong,
    environment,
    measure,
    run_case,
)
from workshop.benchmarks.null_servers import NullServers, null_servers
from workshop.benchmarks.plan import FULL, QUICK, Case, Plan
from workshop.benchmarks.results import Result, verdicts
from workshop.benchmarks.run import Cost, run_pipeline
from workshop.benchmarks.shapes import SHAPES
from workshop.benchmarks.stock_contract import BadClaim

COUNT = 400
"""Enough for every kind of bad message."""
PIPELINES = ("stock", "ours, STREAMING_INSERTS", "ours, STORAGE_WRITE_API")
MADE_ELSEWHERE = {"message_id", "publish_time", "processing_timestamp", "pipeline_version"}
LEFT_OUT = {"risk_evidence"}
"""Of what ours makes, what the stock pipeline does without."""


def made(directory: Path, bad_share: float) -> Input:
    list(inputs.write_claims(directory, COUNT, bad_share))
    inputs.write_rows(directory / "rows.pickle", settings())
    return Input(str(directory / "*.ndjson"), str(directory / "rows.pickle"), COUNT)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """Claims, half of them bad."""
    return made(tmp_path_factory.mktemp("half"), 0.5)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return made(tmp_path_factory.mktemp("good"), 0.0)


@pytest.fixture(scope="module")
def servers() -> Iterator[NullServers]:
    with null_servers() as started:
        yield started


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clients.write_credentials(tmp_path)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", CLAIMS.project)


@pytest.fixture
def servers_in_use(
    credentials: None, servers: NullServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(servers).items():
        monkeypatch.setenv(name, value)


def test_input_has_every_kind_of_bad_message() -> None:
    assert len(kinds(Contract.default())) <= COUNT / 2


@pytest.mark.usefixtures("servers_in_use")
@pytest.mark.parametrize("contestant", PIPELINES)
def test_every_message_is_written_once(
    contestant: str, source: Input, servers: NullServers
) -> None:
    before = servers.rows()
    run_pipeline(contestant, source)
    came = servers.rows() - before
    assert came == Counter({CLAIMS.table: COUNT // 2, ERRORS.table: COUNT // 2})


def rows_of(contestant: str, source: Input, server: InsertServer) -> tuple[Any, Any]:
    server.rows.clear()
    run_pipeline(contestant, source)
    return server.rows[str(CLAIMS)], server.rows[str(ERRORS)]


def comparable(row: dict[str, Any]) -> str:
    row = row | {
        name: [rule for rule in row[name] if rule in stock_rules.KNOWN]
        for name in ("risk_reasons", "quality_issues")
    }
    values = {key: value for key, value in row.items() if key not in MADE_ELSEWHERE | LEFT_OUT}
    values = {key: value for key, value in values.items() if value not in (None, [])}
    values["claim_amount"] = str(Decimal(values["claim_amount"]).normalize())
    values["additional_fields"] = json.loads(values.get("additional_fields", "null"))
    return json.dumps(values, sort_keys=True)


@pytest.mark.usefixtures("credentials")
def test_stock_and_ours_make_the_same_rows(source: Input, monkeypatch: pytest.MonkeyPatch) -> None:
    with insert_server() as server:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        claims, errors = rows_of("stock", source, server)
        our_claims, our_errors = rows_of("ours, STREAMING_INSERTS", source, server)
    assert sorted(map(comparable, claims)) == sorted(map(comparable, our_claims))
    # Each reads a number beyond the doubles in its own way, and rejects it in a step of its own.
    assert Counter(map(raw_of, errors)) == Counter(map(raw_of, our_errors))


def raw_of(row: dict[str, Any]) -> tuple[str | None, str | None, int]:
    return row.get("raw_message"), row.get("raw_bytes"), row["raw_size"]


def test_stock_knows_the_fields_and_rules_of_the_product() -> None:
    made = settings()
    assert {field.name for field in stock_contract.fields()} == made.contract.properties.keys()
    blank = stock_contract.validate({**EXTREME, "diagnosis_codes": [], "procedure_codes": []})
    days = stock_rules.days_to_submission(blank)
    assert days is not None
    fired = {*stock_rules.risks(blank, days), *stock_rules.quality_issues(blank, days)}
    rules = {rule.id for rule in (*made.rules.risk, *made.rules.quality)}
    assert fired <= stock_rules.KNOWN <= rules


EXTREME = {
    "claim_id": "1",
    "patient_id": "2",
    "provider_id": "3",
    "claim_amount": 20_000,
    "claim_status": "PAID",
    "service_date": "2024-02-29",
    "submission_date": "2026-03-01",
    "patient_age": 1,
    "billing_npi": "1",
}
"""Fires most of the rules."""


@pytest.mark.parametrize(
    ("line", "is_accepted"),
    [
        ({"units": "2", "modifiers": "25, 59", "diagnosis_pointers": [1, "2"], "other": 1}, True),
        ({"charge_amount": -1.5, "service_date": "20260301", "line_number": 1.0, "ndc": 7}, True),
        ({"units": -1}, False),
        ({"line_number": 0}, False),
        ({"modifiers": ["25"] * 5}, False),
        ({"diagnosis_pointers": [0]}, False),
        ({"service_date": "2026-02-30"}, False),
        ({"service_end_date": "2026-W10-1"}, False),
        ({"paid_amount": 0.12345678901}, False),
        ({"allowed_amount": "NaN"}, False),
        ({"procedure_code": True}, False),
        ("99213", False),
    ],
)
def test_stock_takes_the_lines_that_the_product_takes(line: Any, is_accepted: bool) -> None:
    fields = {**EXTREME, "diagnosis_codes": [], "procedure_codes": [], "service_lines": [line]}
    message = Message(json.dumps(fields).encode(), "m")
    decided = through([settings().parse(), settings().validate()], [message])
    assert len(decided.messages) == is_accepted
    with nullcontext() if is_accepted else pytest.raises(BadClaim, match="service_lines"):
        stock_contract.validate(stock_contract.parse(message.data))


@pytest.mark.parametrize("contestant", sorted(set(CONTESTANTS) - set(PIPELINES)))
@pytest.mark.usefixtures("servers_in_use")
def test_parts_let_every_claim_through(
    contestant: str, good: Input, servers: NullServers, tmp_path: Path
) -> None:
    shape = next(case.shape for case in FULL.cases() if case.contestant == contestant)
    if shape:
        shapes.write(shape, Path(good.pattern).parent, tmp_path)
        good = good._replace(pattern=str(tmp_path / "*.ndjson"))
    before = servers.rows()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        out = CONTESTANTS[contestant].build(pipeline, good)
        if not CONTESTANTS[contestant].writes:
            claims = getattr(out, "accepted", out)
            number = claims | "CountAll" >> beam.combiners.Count.Globally()
            assert_that(number, equal_to([good.claims]))
    written = servers.rows() - before
    claims_written = good.claims * CONTESTANTS[contestant].writes
    assert written == Counter({CLAIMS.table: claims_written})


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.usefixtures("servers_in_use")
def test_claims_in_other_shapes_are_all_written(
    name: str, good: Input, servers: NullServers, tmp_path: Path
) -> None:
    shapes.write(name, Path(good.pattern).parent, tmp_path)
    before = servers.rows()
    run_pipeline(name, good._replace(pattern=str(tmp_path / "*.ndjson")))
    assert servers.rows() - before == Counter({CLAIMS.table: good.claims})


def plan_of(*cases: Case) -> Plan:
    """A plan of one round in which all are the same."""
    case = cases[0]
    return QUICK._replace(
        **dict.fromkeys(("floor", "stock", "ours_inserts", "ours"), case),
        **dict.fromkeys(("rows", "stock_sink", "our_sink", "signals"), case),
        **dict.fromkeys(
            ("stages", "sizes", "processes", "bad_shares", "shapes", "signals_with_lines"), cases
        ),
        rounds=1,
        rounds_of_rest=1,
    )


def test_measured_run(tmp_path: Path, servers: NullServers) -> None:
    plan = plan_of(Case("ours, STORAGE_WRITE_API", 60, 20, bad_share=0.5))
    files = Inputs(tmp_path)
    told: list[int] = []
    files.make(plan.cases(), told.append)
    assert told == [60]
    [(case, cost)] = measure(plan, files, servers)
    assert case == plan.ours
    assert cost.peak_bytes > 10_000_000
    assert min(cost.cpu_seconds, cost.fixed_cpu_seconds, cost.wall_seconds) > 0


@pytest.mark.parametrize("package", ["benchmarks", "workshop.benchmarks"])
def test_checkout_of_another_version(tmp_path: Path, package: str) -> None:
    with pytest.raises(ValueError, match="make setup"):
        against.checkout(tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    with pytest.raises(ValueError, match="is not a checkout"):
        against.checkout(tmp_path)
    run = tmp_path / package.replace(".", "/") / "run.py"
    run.parent.mkdir(parents=True)
    run.touch()
    assert against.checkout(tmp_path) == (tmp_path, str(python), package)


def test_both_checkouts_are_measured_in_turn(
    tmp_path: Path, servers: NullServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(against.ROUNDS, "quick", 2)
    plan = plan_of(Case("ours, STORAGE_WRITE_API", 60, 20))
    case = plan.rows._replace(contestant="ready rows")
    plan = plan._replace(rows=case, our_sink=case._replace(contestant="ready rows, StorageWrite"))
    ran: list[str] = []
    measured = {"before": Cost(0.02, 1, 0, 0, 1), "after": Cost(0.03, 1, 0, 0, 1)}
    rows = {"ready rows": 0.5}

    def run_case(case: Case, files: Inputs, _servers: NullServers, who: Checkout) -> Cost:
        assert files.rows.stat().st_size > 0
        cost = measured["after" if who is THIS else "before"]
        return replace(cost, cpu_seconds=cost.cpu_seconds * rows.get(case.contestant, 1))

    monkeypatch.setattr(against, "run_case", run_case)
    other = Checkout(THIS.directory, sys.executable, THIS.package)
    whole, sink = against.compare(plan, other, tmp_path, servers, ran.append)
    assert whole.ratio == sink.ratio == pytest.approx((1.5, 1.5, 1.5))
    assert (whole.before, sink.before) == (pytest.approx([500, 500]), pytest.approx([250, 250]))
    assert [name.partition(":")[0] for name in ran[::2]] == ["before"] * 3 + ["after"] * 3
    page = report.comparison_markdown([whole, sink], "earlier", {"cpu": "a model"})
    assert "| whole pipeline | 500.0 |" in page
    assert page.count("| 1.500 |") == 2


def test_a_run_that_loses_rows_is_no_measurement(
    tmp_path: Path, servers: NullServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes_nothing = subprocess.CompletedProcess([], 0, "{}", "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: writes_nothing)
    with pytest.raises(Wrong, match="100 rows were to come"):
        run_case(Case("stock", 60, 20), Inputs(tmp_path), servers)


@pytest.mark.parametrize("plan", [FULL, QUICK], ids=lambda plan: plan.name)
def test_report(plan: Plan) -> None:
    slow = {plan.stock.contestant: 3_000, plan.stock_sink.contestant: 5_000}
    results = {}
    for case, rounds in plan.cases().items():
        us = 10 + slow.get(case.contestant, 20 if case in (plan.ours, plan.our_sink) else 0)
        us = us if case != plan.rows else 5
        cpu = 0.5 + us * (case.claims - case.small_claims) / 1e6
        results[case] = Result(case, [Cost(cpu, cpu, 0.5, 0.5, 10**8)] * rounds)
    kept = {verdict.promise: verdict.is_kept for verdict in verdicts(plan, results)}
    assert len(kept) == (9 if plan.processes else 5)
    assert all(kept.values())

    page = report.markdown(plan, results, {"cpu": "a model"})
    assert f"({plan.name} form)" in page
    assert "a model" in page
    assert "FAIL" not in page
    told = json.loads(report.document(plan, results, {"cpu": "a model"}))
    assert len(told["cases"]) == len(plan.cases())

    fast = results[plan.floor]
    page = report.markdown(plan, {**results, plan.stock: fast._replace(case=plan.stock)}, {})
    assert page.count("FAIL") == 1


@pytest.mark.parametrize("plan", [FULL, QUICK], ids=lambda plan: plan.name)
def test_plans_name_contestants(plan: Plan) -> None:
    assert {case.contestant for case in plan.cases()} <= set(CONTESTANTS)


def test_full_plan_measures_every_contestant() -> None:
    assert {case.contestant for case in FULL.cases()} == set(CONTESTANTS)
