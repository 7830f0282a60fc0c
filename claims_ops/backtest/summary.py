"""The outcome of a backtest: as one JSON object, and as text."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from claims_ops.backtest.comparison import Change, Comparison, Tally
from claims_ops.shared.counted import counted
from claims_ops.shared.terminal import printable

_MOST: Final = 20
"""Providers that are shown; of rules and days, all."""
_ROWS: Final = 31
"""Rows of a table in text; days are many."""
NONE: Final = "–"
STORED: Final = "stored scores"
"""What stands for today's rules where the claims' own scores do."""
_DIGITS: Final = 3
"""Of amounts in text and page, so that the sum of one claim does not tell its amount."""

Figures = Mapping[str, Any]


def figures(comparison: Comparison, given: Mapping[str, Any]) -> dict[str, Any]:
    """All figures, exact; providers and rules with the most changes first."""
    flagged, everything = comparison.flagged, comparison.everything
    providers = _ranked(comparison.changed_by_provider)
    rules = sorted({*comparison.fired, *comparison.changed_by_rule})
    return {
        **given,
        "claims": everything.claims,
        "amount": _number(everything.amount),
        "known": everything.known,
        "improper": everything.improper,
        "rules_versions_today": dict(comparison.rules_versions.most_common()),
        "scores_changed": comparison.scores_changed,
        "today": _side(flagged.today, everything),
        "tried": _side(flagged.tried, everything),
        "newly_flagged": _tally(comparison.changed.newly),
        "no_longer_flagged": _tally(comparison.changed.no_longer),
        "by_rule": [
            {
                "rule": rule,
                "today": _side(comparison.fired[rule].today, everything),
                "tried": _side(comparison.fired[rule].tried, everything),
                **_change(comparison.changed_by_rule.get(rule, Change())),
            }
            for rule in rules
        ],
        "providers_changed": len(providers),
        "by_provider": [
            {"provider_id": name, **_change(change)} for name, change in providers[:_MOST]
        ],
        "by_day": [
            {"day": day or None, "claims": claims, "today": was, "tried": would}
            for day, (claims, was, would) in sorted(comparison.days.items())
        ],
    }


def notes(scored_with: Mapping[tuple[str, ...], int], unpassed: frozenset[str]) -> list[str]:
    """What makes the tried rules differ from the stored scores, besides the rules.

    Args:
        scored_with: claims by the names of the reference files that scored them.
        unpassed: names of files that the tried rules read and do not have.
    """
    lacking = {names: unpassed.intersection(names) for names in scored_with}
    claims = sum(count for names, count in scored_with.items() if lacking[names])
    if not claims:
        return []
    names = sorted(set().union(*lacking.values()))
    options = [f"--{name.replace('_', '-')}" for name in names]
    was, them = ("was", "it") if len(names) == 1 else ("were", "them")
    return [
        f"{counted(claims, 'claim')} {'was' if claims == 1 else 'were'} scored with"
        f" {_and(names)}, which {was} not passed: rules that read {them} cannot fire here; pass"
        f" {_and(options)}, or --against FILE to compare both sets of rules using the same files"
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _ranked(changes: Mapping[str, Change]) -> list[tuple[str, Change]]:
    def weight(item: tuple[str, Change]) -> tuple[int, Decimal, str]:
        name, change = item
        claims = change.newly.claims + change.no_longer.claims
        return -claims, -(change.newly.amount + change.no_longer.amount), name

    return sorted(changes.items(), key=weight)


def _change(change: Change) -> dict[str, Any]:
    return {
        "newly_flagged": _tally(change.newly),
        "no_longer_flagged": _tally(change.no_longer),
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "claims": tally.claims,
        "amount": _number(tally.amount),
        "known": tally.known,
        "improper": tally.improper,
        "improper_amount": _number(tally.improper_amount),
        "amount_recovered": _number(tally.recovered),
    }


def _side(tally: Tally, everything: Tally) -> dict[str, Any]:
    return {
        **_tally(tally),
        "precision": _rounded(tally.precision),
        "recall": _rounded(tally.recall(everything)),
    }


def _number(amount: Decimal) -> float:
    return float(amount)


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def money(amount: float) -> str:
    """`$12,300`, rounded to three digits."""
    rounded = float(f"{amount:.{_DIGITS - 1}e}")
    return f"${rounded:,.0f}" if rounded >= 100 else f"${rounded:,.4g}"


def percent(share: float | None) -> str:
    """`4.2%`."""
    return NONE if share is None else f"{share:.1%}"


def table_of_sides(found: Figures) -> list[tuple[str, str, str]]:
    """What is flagged: a name, today, with the rules that are tried."""
    sides = found["today"], found["tried"]

    def row(name: str, values: Sequence[str]) -> tuple[str, str, str]:
        return name, values[0], values[1]

    rows = [
        row("flagged claims", [f"{side['claims']:,}" for side in sides]),
        row(
            "share of all claims",
            [percent(side["claims"] / (found["claims"] or 1)) for side in sides],
        ),
        row("flagged amount", [money(side["amount"]) for side in sides]),
    ]
    if found["known"]:
        rows += [
            row("claims with a known outcome", [f"{side['known']:,}" for side in sides]),
            row("precision", [percent(side["precision"]) for side in sides]),
            row("recall", [percent(side["recall"]) for side in sides]),
            row("improper amount", [money(side["improper_amount"]) for side in sides]),
            row("recovered", [money(side["amount_recovered"]) for side in sides]),
        ]
    return rows


def headline(found: Figures) -> list[str]:
    """What was judged, and what changes, in sentences."""
    sample = found["sample_percent"]
    lines = [
        f"{counted(found['claims'], 'claim')} from {found['claims_of']}"
        + (f", a sample of {sample:g}%" if sample < 100 else "")
        + f", scored in {found['seconds']:,.1f} s",
        f"today: {found['rules_today']}; tried: {found['rules_tried']},"
        f" threshold {found['threshold_tried']:g}",
    ]
    versions = found["rules_versions_today"]
    if len(versions) > 1 and found["rules_today"] == STORED:
        lines.append(f"the stored scores come from {len(versions)} versions of the rules")
    lines += found["notes"]
    if found.get("rejected_messages"):
        lines.append(f"left out: {counted(found['rejected_messages'], 'rejected message')}")
    changes = (("newly_flagged", "newly flagged"), ("no_longer_flagged", "no longer flagged"))
    for key, word in changes:
        change = found[key]
        are = "is" if change["improper"] == 1 else "are"
        known = (
            f"; {change['improper']:,} of the {change['known']:,} with a known outcome {are}"
            " improper"
        )
        lines.append(
            f"{word}: {counted(change['claims'], 'claim')}, {money(change['amount'])}"
            + (known if change["known"] else "")
        )
    return lines


def table_of_rules(found: Figures) -> list[tuple[str, ...]]:
    """A row a rule: fired today and when tried, precision of both, claims that change sides."""
    return [
        (
            printable(each["rule"]),
            f"{each['today']['claims']:,}",
            f"{each['tried']['claims']:,}",
            percent(each["today"]["precision"]),
            percent(each["tried"]["precision"]),
            f"{each['newly_flagged']['claims']:,}",
            f"{each['no_longer_flagged']['claims']:,}",
        )
        for each in found["by_rule"]
    ]


def table_of_providers(found: Figures) -> list[tuple[str, ...]]:
    """A row a provider with changes."""
    return [
        (
            printable(each["provider_id"]),
            f"{each['newly_flagged']['claims']:,}",
            money(each["newly_flagged"]["amount"]),
            f"{each['no_longer_flagged']['claims']:,}",
            money(each["no_longer_flagged"]["amount"]),
        )
        for each in found["by_provider"]
    ]


def table_of_days(found: Figures) -> list[tuple[str, ...]]:
    """A row a day: claims, and the share that is flagged."""
    return [
        (
            each["day"] or "no date",
            f"{each['claims']:,}",
            percent(each["today"] / each["claims"]),
            percent(each["tried"] / each["claims"]),
        )
        for each in found["by_day"]
    ]


RULES: Final = ("rule", "fired today", "tried", "precision today", "tried", "newly flagged",
                "no longer flagged")  # fmt: skip
PROVIDERS: Final = ("provider", "newly flagged", "amount", "no longer flagged", "amount")
TABLES: Final = (
    ("Flagged", ("", "today", "tried"), table_of_sides),
    ("By rule", RULES, table_of_rules),
    ("Providers with the most changes", PROVIDERS, table_of_providers),
    ("Flagged by day", ("day", "claims", "today", "tried"), table_of_days),
)
"""Title, heads, rows."""


def text(found: Figures) -> str:
    """Everything, for people."""
    return "\n".join(_lines(found))


def _lines(found: Figures) -> Iterator[str]:
    yield from headline(found)
    for title, heads, make in TABLES:
        rows = [heads, *make(found)]
        if len(rows) == 1:
            continue
        widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
        yield from ("", title)
        if len(rows) > _ROWS:
            yield f"  (the last {_ROWS} of {len(rows) - 1}; --json and --html show all)"
            rows = [rows[0], *rows[-_ROWS:]]
        for row in rows:
            first, *others = (
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield f"  {'  '.join((first, *others))}".rstrip()
