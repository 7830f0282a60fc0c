"""Signals of whether a claim fits together, for quality rules: its dates, amounts, NPIs, lines."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from pipeline.claims.signals.claim import npi_check_digit_ok
from pipeline.claims.signals.service_lines import LINES, Lines
from pipeline.claims.signals.signal import Signal

Number = float | int | Decimal


def is_not_after(earlier: str | None, later: str | None) -> bool | None:
    """Whether a day is not after another one; None without both."""
    return None if earlier is None or later is None else earlier <= later


def is_not_above(less: Number | None, more: Number | None) -> bool | None:
    """Whether an amount is not above another one; None without both."""
    return None if less is None or more is None else exact(less) <= exact(more)


def exact(number: Number) -> Decimal:
    """A number as the decimal text that it was read from."""
    return Decimal(str(number))


def line_numbers_in_sequence(lines: Lines) -> bool | None:
    """Whether the lines are numbered from 1 without a gap, in any order; None without numbers."""
    numbers = [line["line_number"] for line in lines or () if line.get("line_number") is not None]
    if not numbers:
        return None
    return len(numbers) == len(lines or ()) and sorted(numbers) == [*range(1, len(numbers) + 1)]


def line_dates_in_order(lines: Lines) -> bool | None:
    """Whether no line ends before it begins; None without lines."""
    if not lines:
        return None
    ordered = (
        is_not_after(line.get("service_date"), line.get("service_end_date")) for line in lines
    )
    return False not in ordered


def line_dates_within_claim(
    lines: Lines, service_date: str | None, service_end_date: str | None
) -> bool | None:
    """Whether no line begins or ends outside of the days of its claim; None without lines."""
    if not lines:
        return None
    for line in lines:
        first = line.get("service_date")
        last = line.get("service_end_date") or first
        if False in (is_not_after(service_date, first), is_not_after(last, service_end_date)):
            return False
    return True


def line_amounts_match(name: str) -> Callable[[Lines, Number | None], bool | None]:
    """Whether an amount of the lines sums up to that of the claim, to the last digit.

    None where the claim or a line lacks it.
    """

    def amounts_match(lines: Lines, total: Number | None) -> bool | None:
        if not lines or total is None:
            return None
        amounts = [line.get(name) for line in lines]
        if None in amounts:
            return None
        if len(amounts) == 1 and type(amounts[0]) is type(total):
            return amounts[0] == total
        return sum(exact(amount) for amount in amounts if amount is not None) == exact(total)

    return amounts_match


def diagnosis_pointers_ok(lines: Lines, diagnosis_codes: Sequence[str] | None) -> bool | None:
    """Whether all lines point to diagnoses that the claim has; None where none points."""
    pointers = [each for line in lines or () for each in line.get("diagnosis_pointers") or ()]
    return max(pointers) <= len(diagnosis_codes or ()) if pointers else None


def of_lines(name: str) -> Callable[[Lines], list[Any] | None]:
    """What the lines have in a field, each value once and null for a line that lacks it."""

    def values(lines: Lines) -> list[Any] | None:
        if not lines:
            return None
        if len(lines) == 1:
            return [lines[0].get(name)]
        return list(dict.fromkeys([line.get(name) for line in lines]))

    return values


def _of_lines(of: Callable[..., Any], *reads: str) -> Signal:
    return Signal(of, (LINES, *reads), only_with=LINES)


def _in_order(earlier: str, later: str, only_with: str) -> Signal:
    return Signal(is_not_after, (earlier, later), only_with=only_with)


SIGNALS = {
    "service_dates_in_order": _in_order("service_date", "service_end_date", "service_end_date"),
    "admitted_before_end": _in_order("admission_date", "service_end_date", "admission_date"),
    "born_before_service": _in_order("patient_birth_date", "service_date", "patient_birth_date"),
    "rendering_npi_ok": Signal(npi_check_digit_ok, ("rendering_npi",), only_with="rendering_npi"),
    "facility_npi_ok": Signal(npi_check_digit_ok, ("facility_npi",), only_with="facility_npi"),
    "paid_within_allowed": Signal(
        is_not_above, ("paid_amount", "allowed_amount"), only_with="paid_amount"
    ),
    "allowed_within_charge": Signal(
        is_not_above, ("allowed_amount", "claim_amount"), only_with="allowed_amount"
    ),
    "line_numbers_in_sequence": _of_lines(line_numbers_in_sequence),
    "line_dates_in_order": _of_lines(line_dates_in_order),
    "line_dates_within_claim": _of_lines(
        line_dates_within_claim, "service_date", "service_end_date"
    ),
    "line_charges_match": _of_lines(line_amounts_match("charge_amount"), "claim_amount"),
    "line_allowed_match": _of_lines(line_amounts_match("allowed_amount"), "allowed_amount"),
    "line_paid_match": _of_lines(line_amounts_match("paid_amount"), "paid_amount"),
    "diagnosis_pointers_ok": _of_lines(diagnosis_pointers_ok, "diagnosis_codes"),
    "line_procedure_codes": _of_lines(of_lines("procedure_code")),
    "line_revenue_codes": _of_lines(of_lines("revenue_code")),
    "line_places_of_service": _of_lines(of_lines("place_of_service")),
    "line_units": _of_lines(of_lines("units")),
}
