"""What the pipeline would make of messages: counts, causes, rules, and some claims."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from claims_ops.check import hints
from claims_ops.shared.message_files import Placed, batches
from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.clock import SystemClock
from pipeline.claims.contract import Contract
from pipeline.claims.formats.table import FORMATS
from pipeline.claims.judgement import Unchanging
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.rules import Rules
from pipeline.claims.stages import Enrich, Map, Parse, ParseDocuments, Stage, Validate, decide

_BATCH = 100
PLACES_SHOWN = 5


class Documents(NamedTuple):
    """What claims are judged by."""

    contract: Contract
    rules: Rules
    claim_map: ClaimMap | None
    input_format: str
    """That of the messages, where a map reads them."""
    high_risk_threshold: float = 0.5


class Cause(NamedTuple):
    """What is wrong with messages, free of values; one message may have several."""

    stage: str
    error_code: str
    error: str


@dataclass
class Judgement:
    """The outcome."""

    messages: int = 0
    claims: int = 0
    rejected: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """Metrics of the stages: `high_risk`, `skipped`, `rule_...`, `quality_...`."""
    causes: Counter[Cause] = field(default_factory=Counter)
    places: dict[Cause, list[str]] = field(default_factory=dict)
    """The first places of each cause."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """The first claims as they reach validation."""
    hints: list[str] = field(default_factory=list)
    """What to do about some of it, each once."""


def judge(placed: Iterable[Placed], documents: Documents, show: int = 0) -> Judgement:
    """Lead messages through all stages."""
    contract, claim_map = documents.contract, documents.claim_map
    before: list[Stage] = [
        ParseDocuments(FORMATS[documents.input_format].decode) if claim_map else Parse(contract),
        *([Map(claim_map, contract)] if claim_map else []),
    ]
    version = claim_map.version if claim_map else None
    basis = Unchanging(documents.rules)
    rows = ClaimRows(contract, basis, documents.high_risk_threshold, "check", version)
    behind: list[Stage] = [Validate(contract), Enrich(rows, SystemClock())]
    judgement = Judgement()
    told: dict[str, None] = {}
    for some in batches(placed, _BATCH):
        told |= dict.fromkeys(hint for each in some for hint in hints.of_file(each, claim_map))
        places = {each.message.message_id: each.place for each in some}
        found: Sequence[Message] = [each.message for each in some]
        judgement.messages += len(found)
        subjects: Sequence[Any] = found
        for stage in (*before, *behind):
            if stage is behind[0] and len(judgement.shown) < show:
                judgement.shown += subjects[: show - len(judgement.shown)]
            decided = decide(stage, found, subjects)
            for message, rejection in decided.rejected:
                _count(judgement, rejection, places[message.message_id])
                told |= dict.fromkeys(
                    hints.of_rejection(rejection, message.data, contract, claim_map)
                )
            found, subjects = decided.messages, decided.outcomes
            if not found:
                break
        judgement.claims += len(found)
    for stage in (*before, *behind):
        judgement.counts.update(stage.take_metrics().counts)
    if judgement.counts["skipped"] and not judgement.claims and not judgement.rejected:
        told[hints.SKIPPED] = None
    judgement.hints = list(told)
    return judgement


def _count(judgement: Judgement, rejection: Rejection, place: str) -> None:
    judgement.rejected += 1
    for cause in causes_of(rejection):
        judgement.causes[cause] += 1
        places = judgement.places.setdefault(cause, [])
        if len(places) < PLACES_SHOWN and place not in places:
            places.append(place)


def causes_of(rejection: Rejection) -> Iterator[Cause]:
    """All that is wrong with a message: each violation of the contract for itself."""
    for field_name, _, text in dict.fromkeys(rejection.violations):
        error = f"{field_name}: {text}".removeprefix(": ")
        yield Cause(rejection.stage, rejection.error_code, error)
    if not rejection.violations:
        yield Cause(rejection.stage, rejection.error_code, rejection.error)
