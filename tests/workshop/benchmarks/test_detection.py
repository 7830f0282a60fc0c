"""The detection benchmark: its figures are right, and what it last found keeps the promises."""

import json
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.signals.table import SOURCES
from pipeline.claims.stages import Parse, Validate, through
from sandbox.synthetic import synthetic
from workshop.benchmarks.detection import __main__ as program
from workshop.benchmarks.detection.figures import auc, average_precision, figures, hits, residuals
from workshop.benchmarks.detection.judging import judge, lookups_of
from workshop.benchmarks.detection.labelled import Unusable, read_claims, read_labels
from workshop.benchmarks.detection.measure import RULES_1, RULES_2, measure
from workshop.benchmarks.detection.profiles import ClaimTable
from workshop.benchmarks.detection.rings import generated

RESULTS = json.loads((program.HERE / "results.json").read_text("utf-8"))


def test_auc_is_the_chance_that_fraud_ranks_higher() -> None:
    rng = Random(3)
    scores = [rng.randrange(6) / 5 for _ in range(60)]
    labels = [rng.random() < 0.3 for _ in scores]
    fraud = [score for score, label in zip(scores, labels, strict=True) if label]
    rest = [score for score, label in zip(scores, labels, strict=True) if not label]
    pairs = [(a > b) + (a == b) / 2 for a in fraud for b in rest]
    assert auc(scores, labels) == pytest.approx(sum(pairs) / len(pairs))


def test_average_precision_of_a_known_ranking() -> None:
    assert average_precision([4, 3, 2, 1], [True, False, True, False]) == pytest.approx(5 / 6)
    assert average_precision([1, 1, 1, 1], [True, False, False, False]) == 0.25  # a tie of all


def test_a_tie_that_is_cut_counts_its_share() -> None:
    assert hits([2, 1, 1, 1, 1], [True, True, False, False, False], 3) == pytest.approx(1.5)


def test_what_size_explains_does_not_count() -> None:
    rng = Random(5)
    sizes = [rng.randrange(1, 1_000) for _ in range(400)]
    labels = [rng.random() < size / 1_000 for size in sizes]
    by_size = figures([float(size) for size in sizes], labels, sizes)
    assert by_size.auc is not None and by_size.auc > 0.7
    assert max(map(abs, residuals([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]))) < 1e-9


def test_no_figures_without_both_labels() -> None:
    assert set(figures([1.0, 2.0], [True, True])) == {None}


def test_profiles_know_nothing_of_what_comes_later() -> None:
    made = generated(2, scale=0.02)
    table = ClaimTable(made.claims)
    first = min(claim["service_date"] for claim in made.claims)
    on = lookups_of(table, {})
    early = on(datetime.fromisoformat(first).date())
    assert early["provider_profile"].size == 0
    assert not judge(made.claims[:50], Rules.default(), on).fired()["provider_growth"]


def test_measured_on_a_small_scale() -> None:
    made = generated(1, scale=0.05)
    lists = {name: SOURCES[name].read(lines) for name, lines in made.lists.items()}
    results = measure(made.claims, made.labels, lists, "", made.large)
    rows = {row.name: row.figures for row in results.providers}
    before, after = rows[RULES_1].average_precision, rows[RULES_2].average_precision
    assert before is not None and after is not None
    assert after > 1.5 * before
    assert {fired.name for fired in results.rules} >= {"excluded_provider", "mue_exceeded"}


def test_last_results_keep_the_promises() -> None:
    rows = {row["name"]: row for row in RESULTS["providers"]}
    assert rows[RULES_2]["average_precision"] >= 5 * rows[RULES_1]["average_precision"]
    assert rows[RULES_2]["precision_at_50"] >= 0.9
    assert rows[RULES_2]["size_adjusted_auc"] >= 0.8
    assert RESULTS["notes"]["honest large providers"] == "40"
    assert RESULTS["notes"]["of them among the first 50 by rules 2.0"] == "0"


def test_few_ordinary_claims_are_flagged() -> None:
    contract = Contract.default()
    now = datetime(2026, 11, 23, tzinfo=UTC)
    messages = [
        Message(json.dumps(claim, default=str).encode())
        for claim in islice(synthetic.claims(1, now), 6_000)
    ]
    claims = through([Parse(contract), Validate(contract)], messages).outcomes
    table = ClaimTable({claim["claim_id"]: claim for claim in claims}.values())
    day = now.date()
    profiles = {
        "provider_profile": table.provider_profiles(day, all_claims=True),
        "claim_percentiles": table.claim_percentiles(day),
    }
    for lookups in ({}, profiles):
        flags = judge(claims, Rules.default(), lambda begins, given=lookups: given).flags
        assert 0 < sum(flags) / len(flags) < 0.03


def test_labelled_files(tmp_path: Path) -> None:
    claims, labels = tmp_path / "claims.csv", tmp_path / "labels.csv"
    header = (
        "claim_id,patient_id,provider_id,claim_amount,claim_status,service_date,submission_date,"
        "service_end_date,admission_date,diagnosis_codes,procedure_codes\n"
    )
    rows = [
        f"C{n},P{n},PRV{n % 20},{100 + 900 * (n % 20 < 5)},PAID,2025-{1 + n % 12:02d}-10,"
        f'2025-{1 + n % 12:02d}-25,2025-{1 + n % 12:02d}-{12 + 8 * (n % 20 < 5)},,"E119,I10",\n'
        for n in range(400)
    ]
    claims.write_text(header + "".join(rows) + "C,,,,,,,,,,\n")
    labels.write_text(
        "Provider,PotentialFraud\n"
        + "".join(f"PRV{n},{'Yes' if n < 5 else 'No'}\n" for n in range(21))
    )
    read = read_claims(claims)
    assert (len(read.valid), read.rejected) == (400, 1)
    assert read.valid[0]["diagnosis_codes"] == ["E119", "I10"]
    output = tmp_path / "out"
    given = ("--claims", claims, "--labels", labels, "--output", output)
    shown = CliRunner().invoke(program.main, list(map(str, given)), catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    results = json.loads((output / "results.json").read_text())
    rows_by_name = {row["name"]: row for row in results["providers"]}
    assert rows_by_name["profile signals alone: amount + longest stay"]["auc"] == 1
    assert results["notes"]["labelled providers without claims"] == "1"
    assert results["notes"]["lines that are no claim"] == "1"


def test_claims_of_another_shape_take_a_map(tmp_path: Path) -> None:
    """As the CSV of inpatient claims that public labels of providers belong to."""
    claims, claim_map = tmp_path / "inpatient.csv", tmp_path / "inpatient.jsonata"
    claims.write_text(
        "ClaimID,BeneID,Provider,InscClaimAmtReimbursed,ClaimStartDt,ClaimEndDt,AdmissionDt\n"
        "CLM1,BENE1,PRV1,26000,2009-04-12,2009-04-18,2009-04-12\n"
    )
    claim_map.write_text(
        '{"claim_id": ClaimID, "patient_id": BeneID, "provider_id": Provider,'
        ' "claim_amount": InscClaimAmtReimbursed, "service_date": ClaimStartDt,'
        ' "service_end_date": ClaimEndDt, "admission_date": AdmissionDt,'
        ' "submission_date": ClaimEndDt, "claim_status": "SUBMITTED"}'
    )
    [claim] = read_claims(claims, claim_map).valid
    assert (claim["provider_id"], claim["service_end_date"]) == ("PRV1", "2009-04-18")
    assert float(claim["claim_amount"]) == 26000
    claim_map.write_text("{")
    with pytest.raises(Unusable):
        read_claims(claims, claim_map)
    with pytest.raises(Unusable, match="none of 1 lines is a claim; mostly: .*claim_id"):
        read_claims(claims)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("p,label\na,Yes\nb,no\n", {"a": True, "b": False}),
        ("a,1\nb,0\n", {"a": True, "b": False}),
        ("a,true,more\nb,False,\n", {"a": True, "b": False}),
    ],
)
def test_labels(text: str, labels: dict[str, bool], tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    assert read_labels(path) == labels


def test_a_label_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("a,1\nb,perhaps\n")
    with pytest.raises(Unusable, match=":2: the label is not"):
        read_labels(path)
