"""The functions that claim maps have beyond JSONata's own."""

from decimal import Decimal
from typing import Any

import jlens
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.functions import References, age, day, distinct, money
from pipeline.claims.rejection import Rejection


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("08/26/2024", "%m/%d/%Y", "2024-08-26"),
        ("26-08-2024", "%d-%m-%Y", "2024-08-26"),
        ("08-26-2024", "%m-%d-%Y", "2024-08-26"),
        ("04022018 ", "%m%d%Y", "2018-04-02"),
        (20240826, "%Y%m%d", "2024-08-26"),
        ("2024/8/6", "%Y/%m/%d", "2024-08-06"),
        ("27-Oct-1999", "%d-%b-%Y", "1999-10-27"),
        ("August 19, 1975", "%B %d, %Y", "1975-08-19"),
        ("02302026", "%m%d%Y", "02302026"),  # JSONata's $toMillis makes 2 March of it
        ("26-08-2024", "%m-%d-%Y", "26-08-2024"),
        ("", "%Y", ""),
        (1012026, "%m%d%Y", "1012026"),  # 1 January, and not 1 October
        ("2026111", "%Y%m%d", "2026111"),
        ("261112", "%Y%m%d", "261112"),  # not in 2611
        ("JAN12026", "%b%d%Y", "JAN12026"),
        ("JAN012026", "%b%d%Y", "2026-01-01"),
        ("7FEB2026", "%d%b%Y", "2026-02-07"),
        ("20260227  103000.5Z", "%Y%m%d %H%M%S.%f%z", "2026-02-27"),
        ("20260227 930", "%Y%m%d %H%M", "2026-02-27"),
        (None, "%Y", None),
        ("1" * 100, "%Y%m%d", "1" * 100),
        ("2024", "%", "2024"),
    ],
)
def test_date(text: Any, form: str, expected: Any) -> None:
    assert day(text, form) == expected


@pytest.mark.parametrize(
    ("birth", "at", "years"),
    [
        ("1980-02-29", "2026-02-28", 45),
        ("1980-02-29", "2026-03-01", 46),
        ("2026-01-02T10:00:00Z", "2026-01-02", 0),
        ("2026-01-02", "2025-12-31", -1),
        ("1980", "2026-01-01", None),
        (None, "2026-01-01", None),
        ("1980-02-30", "2026-01-01", None),
    ],
)
def test_age(birth: Any, at: Any, years: int | None) -> None:
    assert age(birth, at) == years


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ([100.1, 29.06], 129.16),  # 129.16000000000003 as a sum of doubles
        (["100.10", 29.06, None, ""], 129.16),
        (75.005, 75.01),
        ("263.489", 263.49),
        (-1.005, -1.01),
        (3 * 19.99, 59.97),
        ([], None),
        (None, None),
        ([1, "12 USD"], [1, "12 USD"]),  # an array, which no amount may be
        (["0." + 80 * "0", "100"], ["0." + 80 * "0", "100"]),  # 0 to the contract
        (True, True),
        ("NaN", "NaN"),
        ("1e400", "1e400"),
        ("9" * 100, "9" * 100),
        ("1_000", "1_000"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}"),
        ([".50", "1.", "+2", " 1e2 "], 103.5),
    ],
)
def test_money(amounts: Any, expected: Any) -> None:
    assert money(amounts) == expected


@given(st.lists(st.integers(-(10**8), 10**8), min_size=1))
def test_money_of_cents_is_exact(cents: list[int]) -> None:
    total = money([cent / 100 for cent in cents])
    assert Decimal(repr(total)) * 100 == sum(cents)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            '$money(1, "USD")',
            "$money takes one argument: a number, a string that contains only a number",
        ),
        ('$date("02/27/2026", 5)', "$date takes a string and its date format"),
        ('$date("02/27/2026", null)', "$date takes a string and its date format"),
        ('$date("02/27/2026", "%m/%d/%Y", 1)', "$date takes a string and its date format"),
        ('$age("1980-01-01", "2026-01-01", 1)', "$age takes two ISO dates"),
        ('$resolve("#a", [], 1)', "$resolve takes a reference"),
    ],
)
def test_a_function_called_wrongly_says_how_it_is_called(call: str, said: str) -> None:
    outcome = ClaimMap('{"claim_id": ' + call + "}").claims({})
    assert isinstance(outcome, Rejection)
    assert outcome.error_code == "map_failed"
    assert outcome.error.startswith(f"the map failed: {said}")


PATIENT, OTHER, INNER = ({"resourceType": "Patient", "id": each} for each in ("1", "2", "in"))
BUNDLE = {
    "entry": [
        {"fullUrl": "urn:uuid:a", "resource": PATIENT},
        {"resource": OTHER},
        {"resource": {**OTHER, "is": "repeated"}},
        {"resource": "text"},
        "text",
    ]
}


@pytest.mark.parametrize(
    ("reference", "contained", "expected"),
    [
        ("urn:uuid:a", None, PATIENT),
        ("Patient/1", None, PATIENT),
        ("https://server/fhir/Patient/2/_history/7", None, OTHER),
        ("#in", [INNER], INNER),
        ("#in", INNER, INNER),
        ("#in", None, None),
        ("Patient/3", None, None),
        (7, None, None),
        (None, None, None),
    ],
)
def test_resolve(reference: Any, contained: Any, expected: Any) -> None:
    references = References()
    references.enter(BUNDLE)
    assert references.resolve(reference, contained) == expected
    references.enter({"contained": [INNER]})
    assert references.resolve("#in") == INNER
    assert references.resolve("urn:uuid:a") is None


VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.5, "1", "true", "null", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(st.lists(VALUES))
def test_distinct_is_that_of_the_engine(items: list[Any]) -> None:
    theirs, ours = (jlens.Expression("{'found': [$distinct(items)]}") for _ in range(2))
    ours.register_function("distinct", distinct)
    assert ours.evaluate({"items": items}) == theirs.evaluate({"items": items})


def test_distinct_keeps_what_is_nested_too_deeply() -> None:
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    assert distinct([deep, "a", deep, "a"]) == [deep, "a"]


@pytest.mark.parametrize("form", ["%d%d", "%", "%Q", "(%d"])
def test_a_format_that_is_none_leaves_the_text(form: str) -> None:
    assert day("27022026", form) == "27022026"
