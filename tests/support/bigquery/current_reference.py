"""Which claims stand, in plain Python: written from the documentation, apart from the SQL."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]


def key(row: Row, name: str) -> str:
    # The text of a list: no payer and claim together look like another payer and claim.
    payer, claim = row.get("payer_id") or "", row.get(name) or ""
    return repr([re.sub(r"\s", "", text).lower() for text in (payer, claim)])


def frequency(row: Row) -> str:
    told = (row.get("claim_frequency_code") or "").strip()
    if told:
        return told
    by_type = re.fullmatch(r"0?\d\d(\d)", row.get("bill_type") or "")
    if by_type:
        return by_type[1]
    return "7" if (row.get("original_claim_id") or "").strip() else "1"


def is_change(row: Row) -> bool:
    return frequency(row) in ("7", "8")


def age(row: Row) -> tuple[Any, ...]:
    """Sorts the newest last."""
    published = row.get("publish_time") or row["processing_timestamp"]
    day = row.get("submission_date") or published[:10]
    place = re.match(r".*:(\d+)", row["message_id"])
    of_file = int(place[1]) if place else -1
    part = -1 if row.get("claim_index") is None else row["claim_index"]
    return day, published, row["processing_timestamp"], of_file, part, row["message_id"]


def original_of(versions: Iterable[Row]) -> str | None:
    """The claim that the newest replacement or void among the versions of one claim names."""
    named = None
    for row in sorted(versions, key=age):
        if is_change(row) and (row.get("original_claim_id") or "").strip():
            original = key(row, "original_claim_id")
            if original != key(row, "claim_id"):
                named = original
    return named


def standing(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The rows that stand, by message id, each with the ids of the claims that it stands in for."""
    versions: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        versions[key(row, "claim_id")].append(row)
    originals = {claim: original_of(some) for claim, some in versions.items()}
    families: dict[str, set[str]] = defaultdict(set)
    circles = set()
    for claim in versions:
        path = [claim]
        while (original := originals.get(path[-1])) and original not in path:
            path.append(original)
        if original:
            circle = path[path.index(original) :]
            circles.update(circle)
            families[min(circle)].add(claim)
        else:
            families[path[-1]].add(claim)
    named = {original for original in originals.values() if original}
    shown = {}
    for family in families.values():
        candidates = family - named or family & circles
        some = [row for claim in candidates for row in versions[claim]]
        if not some:
            continue
        newest = max(some, key=lambda row: (is_change(row), age(row)))
        if frequency(newest) != "8":
            others = family - {key(newest, "claim_id")}
            ids = {row["claim_id"] for claim in others for row in versions[claim]}
            shown[newest["message_id"]] = sorted(ids)
    return shown
