"""Hypothesis strategies: claims, and what producers might send instead."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tests.support.claims.core import CLEAN, CONTRACT

# A fixed budget and fixed examples: a run in CI is as long as the last, and says the same.
BUDGET = settings(max_examples=100, deadline=None, derandomize=True, database=None)

_NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 0.0, 1, 45.0, 150, 151, 1_000_000, 1e300, 5e-324, 2**63, 2**64]),
)
_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("", " ", "None", "null", "nan", "Infinity", "true", "0x10", "1e999999999", "1,5"),
            *("12.5", "-1", "45.0", "1e2", "0.1234567891", "x" * 128, "x" * 129, "A1,B2"),
            *("2024-02-29", "2026-02-29", "0000-01-01", "2026-01-01T10:00:00Z", "2026-01-01T"),
            *("2026-01-01t10:00:00.123456789z", "2026-06-30T23:59:60Z", "2026-01-01\n"),
        ]
    ),
)
_SCALARS = st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS)
JSON_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)
_NAMES = st.sampled_from(list(CONTRACT.properties)) | st.sampled_from(
    ["additional_fields", "message_id", "risk_reasons", "npi_check_digit_ok", "", '":', "Claim_ID"]
)


@st.composite
def claims(draw: st.DrawFn) -> dict[str, Any]:
    """The clean claim with a few fields changed, added or taken away."""
    changes = draw(st.dictionaries(_NAMES, JSON_VALUES, max_size=3))
    without = draw(st.sets(_NAMES, max_size=1))
    return {name: value for name, value in (CLEAN | changes).items() if name not in without}


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Bytes of every kind: any at all, JSON, and claims with a wound."""
    claim = json.dumps(draw(claims())).encode()
    kind = draw(st.sampled_from(["any", "json", "claim", "cut", "wound", "spliced"]))
    if kind == "any":
        return draw(st.binary(max_size=60))
    if kind == "json":
        return json.dumps(draw(JSON_VALUES)).encode("utf-8", "replace")
    if kind == "claim":
        return claim
    start = draw(st.integers(0, len(claim)))
    end = draw(st.integers(start, min(len(claim), start + 3)))
    if kind == "cut":
        return claim[:start]
    inserted = draw(st.binary(max_size=4)) if kind == "wound" else draw(st.sampled_from(SPLICES))
    return claim[:start] + inserted + claim[end:]


SPLICES = [
    *(b"NaN", b"-Infinity", b"1e400", b"1e-400", b"1e-99999999999999999999", b"9" * 400),
    *(b'"a":1,"a":2,', b"\xef\xbb\xbf", b"\\ud800", b"{", b"}", b"[" * 300, b'"', b":", b"\x00"),
]


@st.composite
def amounts(draw: st.DrawFn) -> tuple[Decimal, str]:
    """A billable amount and one of the JSON texts that mean it."""
    billionths = draw(st.integers(0, 10**15) | st.integers(0, 10**6).map(lambda n: n * 10**9))
    digits, exponent = str(billionths), -9
    while digits.endswith("0") and len(digits) > 1 and draw(st.booleans()):
        digits, exponent = digits[:-1], exponent + 1
    amount = Decimal(billionths).scaleb(-9)
    notation = draw(st.sampled_from(["plain", "exponent", "mantissa", "zeros"]))
    if notation == "exponent":
        text = f"{digits}{draw(st.sampled_from('eE'))}{exponent}"
    elif notation == "mantissa" and len(digits) > 1:
        text = f"{digits[0]}.{digits[1:]}e{exponent + len(digits) - 1:+03d}"
    else:
        text = f"{amount:f}" + ("0" * draw(st.integers(0, 12)) if notation == "zeros" else "")
    return amount, f'"{text}"' if draw(st.booleans()) else text
