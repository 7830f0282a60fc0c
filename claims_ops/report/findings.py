"""What stands out: what is far from typical, in a sentence each. A maximum alone is no finding."""

from collections.abc import Sequence

from claims_ops.report.meanings import meaning
from claims_ops.report.measures import Measures
from claims_ops.report.sections_providers import verdicts
from claims_ops.report.sections_rules import SAYS_LITTLE
from claims_ops.report.sections_thresholds import best, in_use, precision_and_recall
from claims_ops.report.text import share
from claims_ops.shared.claim_times import PROCESSING
from claims_ops.shared.counted import counted

DISTANCE = 1.0
"""From peers (`sql/report/providers.sql`), beyond which a provider is named here."""
REASONS, NAMED = 5, 3
"""At most: reasons, and providers for each."""
JUMP, FEW = 2.0, 10
"""How many times as often as before, and how many at least, make a jump."""


def findings(measures: Measures) -> list[str]:
    """The findings, the most urgent first; none where all is typical."""
    return [
        *_providers(measures),
        *_thresholds(measures),
        *_rejections(measures),
        *_regions(measures),
        *_change(measures),
    ]


def _providers(measures: Measures) -> list[str]:
    """A sentence for each reason that sets providers apart."""
    far = [each.row for each in measures.providers if (each.row["distance"] or 0) >= DISTANCE]
    found = []
    for reason in list(dict.fromkeys(row["reason"] for row in far))[:REASONS]:
        rows = [row for row in far if row["reason"] == reason]
        names = [
            f"{row['provider_id']} ({row['reason_claims']:,} of {row['claims']:,} claims)"
            for row in rows[:NAMED]
        ]
        if len(rows) > NAMED:
            names.append(f"{len(rows) - NAMED} more")
        judged = verdicts(rows[0])
        peers = _at_most(max(row["peer_rate"] for row in rows))
        found.append(
            f"{reason} sets {_listed(names)} apart; it fires on {peers} of their peers'"
            f" claims{judged and f', and {judged}'}. {meaning(reason)}"
        )
    return found


def _listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _at_most(rate: float) -> str:
    """`at most 2.0%`, `less than 0.1%`, `none`."""
    text = share(rate, 1)
    if not rate:
        return "none"
    return f"less than {text[1:]}" if text.startswith("<") else f"at most {text}"


def _thresholds(measures: Measures) -> list[str]:
    used, better = in_use(measures), best(measures)
    found = []
    if used and used["claims_at_threshold"] >= max(FEW, 0.2 * used["claims"]):
        improper = used["improper_at_threshold"]
        were = "was" if improper == 1 else "were"
        of_these = f"; {improper:,} of them {were} improper" if improper else ""
        found.append(
            f"{used['claims_at_threshold']:,} claims have a score equal to the"
            f" threshold, {used['threshold']:g}, so they are not flagged{of_these}."
        )
    if used and better and better is not used:
        found.append(
            f"A threshold of {better['threshold']:g} gives the best balance of precision and"
            f" recall: it flags {counted(better['claims'], 'claim')} with"
            f" {precision_and_recall(better)}."
            f" Today's threshold, {used['threshold']:g}, flags {used['claims']:,} with"
            f" {precision_and_recall(used)}."
        )
    return found


def _rejections(measures: Measures) -> list[str]:
    """Codes that a larger share of the messages has in the second half than in the first."""
    if measures.first_seen is None or measures.last_seen is None:
        return []
    middle = measures.first_seen + (measures.last_seen - measures.first_seen) / 2
    volumes = measures.answers["volumes"] if measures.axis == PROCESSING else []
    messages = [(row["step"] >= middle, row["claims"] + row["rejected"]) for row in volumes]
    later = sum(count for is_later, count in messages if is_later)
    earlier = sum(count for is_later, count in messages if not is_later)
    found = []
    for row in measures.answers.get("rejections", ()) if earlier and later else ():
        second = row["messages_of_second_half"]
        first = row["messages"] - second
        if second >= FEW and second / later > JUMP * first / earlier:
            found.append(
                f"Rejections with {row['error_code']} jumped: {second:,} ({share(second, later)} of"
                f" messages) in the second half of the range, {first:,} ({share(first, earlier)})"
                " in the first."
            )
    return found


def _regions(measures: Measures) -> list[str]:
    """The regions with the highest shares, where one has enough claims to mean something."""
    flagged = measures.claims_totals["high_risk_claims"]
    rows = [
        row
        for row in measures.answers["regions"]
        if row["claims"] >= SAYS_LITTLE
        and row["high_risk_claims"] / row["claims"] > JUMP * flagged / measures.current
    ][:NAMED]
    if not any(row["high_risk_claims"] >= FEW for row in rows):
        return []
    names = [
        f"{row['provider_region'] or '(no region)'}"
        f" ({share(row['high_risk_claims'], row['claims'])},"
        f" {row['high_risk_claims']:,} of {row['claims']:,})"
        for row in rows
    ]
    return [
        f"High-risk claims are most frequent in {_listed(names)}; the overall share is"
        f" {share(flagged, measures.current)}."
    ]


def _change(measures: Measures) -> list[str]:
    before = measures.previous
    if not before or not before["high_risk_claims"]:
        return []
    rates = [
        row["high_risk_claims"] / row["current_claims"] if row["current_claims"] else 0
        for row in (before, measures.claims_totals)
    ]
    if measures.claims_totals["high_risk_claims"] < FEW or rates[1] <= 1.5 * rates[0]:
        return []
    return [
        f"{share(rates[1], 1)} of claims are high-risk, up from {share(rates[0], 1)} in the"
        " previous period."
    ]
