"""Claims and labels from files."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.claims.contract import Contract
from pipeline.claims.document_text import DocumentError
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.stages import Map, Parse, ParseDocuments, Stage, Validate, through
from workshop.benchmarks.detection.judging import came

_BATCH = 1_000
_LABELS = {"yes": True, "y": True, "true": True, "1": True}
_LABELS |= {"no": False, "n": False, "false": False, "0": False}


class Unusable(Exception):
    """A file that cannot be used: which, and why."""


class Claims(NamedTuple):
    """Valid claims in the order in which they came."""

    valid: list[dict[str, Any]]
    rejected: int


def read_claims(path: Path, claim_map: Path | None = None) -> Claims:
    """The claims of a file: newline-delimited JSON, or CSV whose header has the contract's names.

    With a claim map, documents of any shape, as JSON or CSV.

    Raises:
        Unusable: not one of them is a claim, or the map is none.
    """
    contract = Contract.default()
    stages: list[Stage] = [Parse(contract), Validate(contract)]
    if claim_map is not None:
        try:
            mapping = Map(ClaimMap(claim_map.read_text("utf-8")), contract)
        except DocumentError as error:
            raise Unusable(f"{claim_map}: {error}") from None
        stages = [ParseDocuments(FORMATS["JSON"].decode), mapping, Validate(contract)]
    valid: list[dict[str, Any]] = []
    causes: Counter[str] = Counter()
    lines = _csv_rows(path) if path.suffix == ".csv" else _lines(path)
    while batch := [Message(line) for line in islice(lines, _BATCH)]:
        decided = through(stages, batch)
        valid += decided.outcomes
        causes.update(rejection.error for _, rejection in decided.rejected)
    if not valid:
        cause = f"; mostly: {causes.most_common(1)[0][0]}" if causes else ""
        raise Unusable(f"{path}: none of {causes.total():,} lines is a claim{cause}")
    ordered = sorted(valid, key=lambda claim: (came(claim), claim["claim_id"]))
    return Claims(ordered, causes.total())


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _csv_rows(path: Path) -> Iterator[bytes]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            yield json.dumps({name: value or None for name, value in row.items() if name}).encode()


def read_labels(path: Path) -> dict[str, bool]:
    """The labels of a CSV file: provider and label, with or without a header.

    Raises:
        Unusable: a label is none of yes, no, true, false, 1, 0.
    """
    labels = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, cells in enumerate(csv.reader(file), start=1):
            label = _LABELS.get(cells[1].strip().lower()) if len(cells) > 1 else None
            if label is not None:
                labels[cells[0].strip()] = label
            elif number > 1 and cells:
                raise Unusable(f"{path}:{number}: the label is not yes, no, true, false, 1 or 0")
    return labels


def is_labelled(claims: Iterable[dict[str, Any]]) -> bool:
    """Whether every claim has a label of its own."""
    return all(claim.get("synthetic_label_is_fraud") is not None for claim in claims)
