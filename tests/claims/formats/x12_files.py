"""X12 837 files with as many claims as a test needs, and what is in each."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

GUIDES = {"P": "005010X222A1", "I": "005010X223A2", "D": "005010X224A2"}


class Style(NamedTuple):
    """How a file is written."""

    segment: str = "~\n"
    element: str = "*"
    component: str = ":"
    pads: bool = True
    """Whether ISA has its full width."""


def expected(kind: str, number: int) -> dict[str, Any]:
    """What the claim of this number holds."""
    day = date(2026, 1, 1) + timedelta(number % 300)
    code = {"P": "99213", "I": "99285", "D": "D2391"}[kind]
    return {
        "claim_id": f"{kind}{number}",
        "patient_id": f"M{number}",
        "provider_id": "1245319599",
        "billing_npi": "1234567893",
        "claim_amount": (2 * number + 2001) / 100,
        "diagnosis_codes": ["E119", f"I{10 + number % 90}"],
        "procedure_codes": [code, "85025"],
        "service_date": day.isoformat(),
        "claim_type": {"P": "professional", "I": "institutional", "D": "dental"}[kind],
        "charges": [f"{number / 100:.2f}", f"{(number + 2001) / 100:.2f}"],
    }


def _claim(kind: str, number: int) -> Iterator[list[str | list[str]]]:
    wanted = expected(kind, number)
    day = wanted["service_date"].replace("-", "")
    place = ["11", "B", "1"] if kind != "I" else ["13", "A", "1"]
    yield ["HL", str(number + 2), "1", "22", "0"]
    yield ["SBR", "P", "18"]
    yield ["NM1", "IL", "1", "DOE", "JANE", "", "", "", "MI", wanted["patient_id"]]
    yield ["DMG", "D8", "19800229", "F"]
    yield ["NM1", "PR", "2", "PAYER", "", "", "", "", "PI", "P1"]
    yield ["CLM", wanted["claim_id"], f"{wanted['claim_amount']:.2f}", "", "", place, "Y"]
    if kind == "I":
        yield ["DTP", "434", "RD8", f"{day}-{day}"]
    first, second = wanted["diagnosis_codes"]
    yield ["HI", ["ABK", first], ["ABF", second]]
    role = "71" if kind == "I" else "82"
    yield ["NM1", role, "1", "DOC", "A", "", "", "", "XX", wanted["provider_id"]]
    for place_of_line, (code, charge) in enumerate(
        zip(wanted["procedure_codes"], wanted["charges"], strict=True), 1
    ):
        yield ["LX", str(place_of_line)]
        if kind == "P":
            yield ["SV1", ["HC", code], charge, "UN", "1", "", "", ["1", "2"]]
        elif kind == "I":
            yield ["SV2", "0450", ["HC", code], charge, "UN", "1"]
        else:
            yield ["SV3", ["AD", code], charge, "", "", "", "1"]
        yield ["DTP", "472", "D8", day]


def _interchange(kind: str, numbers: range, style: Style) -> Iterator[list[str | list[str]]]:
    pad = (lambda text: text.ljust(15)) if style.pads else str
    blank = " " * 10 if style.pads else ""
    yield [
        "ISA",
        "00",
        blank,
        "00",
        blank,
        "ZZ",
        pad("SENDER"),
        "ZZ",
        pad("RECEIVER"),
        "260101",
    ] + ["1200", "U", "00501", "000000001", "0", "P", style.component]
    yield ["GS", "HC", "S", "R", "20260101", "1200", "1", "X", GUIDES[kind]]
    yield ["ST", "837", "0001", GUIDES[kind]]
    yield ["BHT", "0019", "00", "1", "20260115", "1200", "CH"]
    yield ["NM1", "41", "2", "SUBMITTER", "", "", "", "", "46", "S1"]
    yield ["NM1", "40", "2", "RECEIVER", "", "", "", "", "46", "R1"]
    yield ["HL", "1", "", "20", "1"]
    yield ["NM1", "85", "2", "CLINIC", "", "", "", "", "XX", "1234567893"]
    for number in numbers:
        yield from _claim(kind, number)
    yield ["SE", "0", "0001"]
    yield ["GE", "1", "1"]
    yield ["IEA", "1", "000000001"]


def interchange(kind: str, numbers: range, style: Style = Style()) -> bytes:  # noqa: B008
    """The claims of these numbers in one interchange."""
    return "".join(
        style.element.join(
            part if isinstance(part, str) else style.component.join(part) for part in segment
        )
        + style.segment
        for segment in _interchange(kind, numbers, style)
    ).encode()
