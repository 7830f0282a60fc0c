"""Each signal has the value and the evidence that its cases say, and is null without its source."""

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pipeline.claims.signals import code_pairs, provider_profile
from pipeline.claims.signals.facts import Facts
from pipeline.claims.signals.published_table import InvalidReference
from pipeline.claims.signals.table import SIGNALS, SOURCES
from tests.support.claims import reference_lists
from tests.support.claims.case_files import Case, clean_claim, identity, load

CASES = load("signals")
BROKEN = [
    json.loads(line) for line in (reference_lists.ROOT / "broken.ndjson").read_text().splitlines()
]


def facts_of(claim: dict[str, Any], signal: str) -> tuple[Facts, dict[str, Any]]:
    facts = Facts(reference_lists.lookups())
    facts.need([signal])
    return facts, facts.of({name: [value] for name, value in claim.items()})


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_signal(case: Case) -> None:
    facts, columns = facts_of(clean_claim() | case["claim"], case["signal"])
    assert list(columns[case["signal"]]) == [case["value"]]
    if "evidence" in case:
        assert facts.evidence(case["signal"], columns, 0) == case["evidence"]


def test_every_signal_has_cases() -> None:
    assert {case["signal"] for case in CASES} == SIGNALS.keys()


@pytest.mark.parametrize("signal", [name for name, each in SIGNALS.items() if each.evidence])
def test_evidence_shows_no_identifier(signal: str) -> None:
    shown = [case for case in CASES if case["signal"] == signal and "evidence" in case]
    assert shown
    for case in shown:
        for name in ("billing_npi", "rendering_npi", "facility_npi", "provider_id", "patient_id"):
            value = (clean_claim() | case["claim"]).get(name)
            assert value is None or value not in case["evidence"]


def test_a_signal_without_its_source_is_not_there() -> None:
    facts = Facts({})
    for name, signal in SIGNALS.items():
        assert facts.has([name]) == (signal.source is None)


@pytest.mark.parametrize("case", BROKEN, ids=identity)
def test_a_changed_layout_is_refused(case: Case) -> None:
    parameter = next(name for name, file in reference_lists.FILES.items() if file == case["file"])
    good = reference_lists.text(parameter)
    assert good.count(case["old"]) >= 1
    with pytest.raises(ValueError) as refusal:
        reference_lists.read(parameter, good.replace(case["old"], case["new"]))
    assert str(refusal.value) == case["error"]


def test_every_list_has_broken_files() -> None:
    assert {case["file"] for case in BROKEN} == set(reference_lists.FILES.values())
    assert reference_lists.FILES.keys() == SOURCES.keys()


@pytest.mark.parametrize("parameter", SOURCES)
@pytest.mark.parametrize("text", ["", "\n", "not,a,list\n", "\x00\n", "x" * 70_000])
def test_other_text_is_refused(parameter: str, text: str) -> None:
    with pytest.raises(ValueError):
        reference_lists.read(parameter, text)


@pytest.mark.parametrize("number", ["inf", "-inf", "1e999"])
def test_an_infinite_measure_is_refused(number: str) -> None:
    """No schema compares with it: a rule would stay silent."""
    header = ",".join(provider_profile.COLUMNS)
    cells = ",".join([number] * len(provider_profile.NAMES))
    with pytest.raises(InvalidReference, match="row 2: contains a value that is not a number"):
        reference_lists.read("provider_profile", f"{header}\nPRV-1,2026-03-01,{cells}\n")


@pytest.mark.parametrize("percentiles", ["1 nan 2", "1 2 inf"])
def test_percentiles_are_finite(percentiles: str) -> None:
    header = "claim_type,provider_specialty,provider_region,percentiles"
    with pytest.raises(InvalidReference, match="row 2: the percentiles are not numbers"):
        reference_lists.read("claim_percentiles", f"{header}\n,,,{percentiles}\n")


@pytest.mark.parametrize(
    ("start", "end", "is_listed"),
    [
        ("20200101", "*", True),
        ("20200101", "21991231", True),
        ("20200101", "99991231", True),
        ("20200101", "20191231", False),
        ("21600101", "*", False),
        ("99991231", "99991231", False),
    ],
)
def test_days_beyond_what_a_pair_packs(start: str, end: str, is_listed: bool) -> None:
    header = "Column 1\tColumn 2\tExisted\tEffective\tDeletion\tModifier"
    pairs = reference_lists.read("ptp_edits", f"{header}\n11042\t97597\t\t{start}\t{end}\t0\n")
    lines = [{"procedure_code": code} for code in ("11042", "97597")]
    assert code_pairs.ptp_pair(pairs, lines, "2024-01-01") is is_listed


def test_sizes() -> None:
    lookups = reference_lists.lookups()
    assert {name: each.size for name, each in lookups.items()} == {
        "excluded_providers": 4,
        "mue_table": 4,
        "ptp_edits": 6,
        "provider_profile": 2,
        "claim_percentiles": 3,
    }


def test_a_claim_of_999_lines_is_bounded_work() -> None:
    """X12 allows 999 lines, each of another code: not a million look-ups."""
    lines = [{"procedure_code": f"{code:05d}", "units": 1} for code in range(999)]
    claim = {"service_lines": lines, "service_date": "2026-01-01"}
    for signal in ("ptp_pair", "mue_exceeded", "duplicate_line"):
        _, columns = facts_of(claim, signal)
        assert not columns[signal][0]


def test_pairs_of_many_years_are_found_again() -> None:
    rows = [
        f"{one:05d}\t{two:05d}\t \t20200101\t*\t0\tMade up\n"
        for one in range(50)
        for two in range(99, 49, -1)
    ]
    header = reference_lists.text("ptp_edits").splitlines(keepends=True)[2]
    pairs = reference_lists.read("ptp_edits", header + "".join(rows))
    assert pairs.size == 2500
    for one in (0, 7, 49):
        codes = (f"{one:05d}", "00050", "00099", "00100")
        found = [(first, second) for first, second, _ in pairs.among(codes)]
        assert found == [(codes[0], "00050"), (codes[0], "00099")]
        assert pairs.among(codes) is pairs.among(codes)


def test_profiles_of_one_day_in_any_order() -> None:
    header, one, two = reference_lists.text("provider_profile").splitlines(keepends=True)
    turned = reference_lists.read("provider_profile", header + two + one)
    assert turned.value(0, "PRV-1") == 1200.5
    assert turned.value(0, "PRV-2") == 0


def test_days_before_the_epoch_of_the_packing() -> None:
    header, *_ = reference_lists.text("ptp_edits").splitlines(keepends=True)[2:]
    row = "10001\t10002\t \t19700101\t19790101\t0\tMade up\n"
    pairs = reference_lists.read("ptp_edits", header + row)
    claim = {
        "service_lines": [{"procedure_code": "10001"}, {"procedure_code": "10002"}],
        "service_date": date(2026, 1, 1).isoformat(),
    }
    facts = Facts({"ptp_edits": pairs})
    facts.need(["ptp_pair"])
    assert facts.of({name: [value] for name, value in claim.items()})["ptp_pair"] == [False]


@pytest.mark.parametrize(
    "units, exceeds",
    [
        ((1.5, Decimal("12345678901234567890.123456789")), True),
        ((Decimal("0.12345678901234567"), 1.5), False),
        ((0.1,) * 20, False),  # as doubles they add up to more than 2
    ],
)
def test_units_add_up_exactly(units: Sequence[float | Decimal], *, exceeds: bool) -> None:
    lines = [{"procedure_code": "10001", "units": each} for each in units]
    _, columns = facts_of(clean_claim() | {"service_lines": lines}, "mue_exceeded")
    assert list(columns["mue_exceeded"]) == [exceeds]
