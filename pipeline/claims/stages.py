"""The front door of the claim logic: parse, map, validate, enrich, each for a batch of messages.

The graph, the benchmarks, the fuzzer and the tests all come in here. A stage takes messages, each
with what the stage before made of it (its subject), and decides which of them go on. It may be
wrapped in another stage, or stand between two others: `Map` makes claims of documents of another
shape, and gives a message once for each of its claims, or not at all.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.claims import validate
from pipeline.claims.claim_rows import ClaimRows
from pipeline.claims.clock import Clock, milliseconds_between
from pipeline.claims.contract import Contract
from pipeline.claims.formats import json_documents
from pipeline.claims.mapping import claim_map
from pipeline.claims.mapping.claim_map import ClaimMap
from pipeline.claims.mapping.mapper import Mapper
from pipeline.claims.mapping.resemblance import resemblance, x12_resemblance
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.claims.validate import ClaimValidator


class Decided(NamedTuple):
    """What became of a batch."""

    messages: Sequence[Message]
    """Those that go on: one for each outcome, at the same place."""
    outcomes: Sequence[Any]
    rejected: Sequence[tuple[Message, Rejection]] = ()

    @classmethod
    def of(cls, messages: Sequence[Message], outcomes: Sequence[Any]) -> "Decided":
        """One outcome a message, some of which may be rejections."""
        if Rejection not in map(type, outcomes):
            return cls(messages, outcomes)
        pairs = list(zip(messages, outcomes, strict=True))
        going_on = [pair for pair in pairs if type(pair[1]) is not Rejection]
        return cls(
            [message for message, _ in going_on],
            [outcome for _, outcome in going_on],
            [pair for pair in pairs if type(pair[1]) is Rejection],
        )

    @classmethod
    def joined(cls, parts: Iterable["Decided"]) -> "Decided":
        messages: list[Message] = []
        outcomes: list[Any] = []
        rejected: list[tuple[Message, Rejection]] = []
        for part in parts:
            messages += part.messages
            outcomes += part.outcomes
            rejected += part.rejected
        return cls(messages, outcomes, rejected)


class Metrics(NamedTuple):
    """What a stage has to report, by the names of metrics."""

    counts: Mapping[str, int] = {}
    samples: Mapping[str, int] = {}


class Stage(ABC):
    """One decision on each message."""

    name: str
    """As in the column `stage` of the error table, and in the names of metrics."""

    @abstractmethod
    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """Decide on some messages. An exception is turned into rejections by `decide` below."""

    def take_metrics(self) -> Metrics:
        """What the stage has counted since the last call."""
        return Metrics()


class Parse(Stage):
    """Messages to the fields of claims. The subject of a message is the message itself."""

    name = json_documents.STAGE

    def __init__(self, contract: Contract) -> None:
        self._exact = contract.exact_fields
        self._doubles = contract.double_fields

    def decide(self, messages: Sequence[Message], subjects: Sequence[Message]) -> Decided:
        outcomes = [
            json_documents.decode(each.data, self._exact, self._doubles) for each in subjects
        ]
        if Rejection in map(type, outcomes):
            outcomes = [
                (type(outcome) is Rejection and x12_resemblance(each.data, self.name)) or outcome
                for each, outcome in zip(subjects, outcomes, strict=True)
            ]
        return Decided.of(messages, outcomes)


class ParseDocuments(Stage):
    """Messages to documents of any shape, for `Map`."""

    name = json_documents.STAGE

    def __init__(self, decode: Callable[[bytes], Any]) -> None:
        """`decode` is that of the messages' format: a document, several of them, or why not."""
        self._decode = decode

    def decide(self, messages: Sequence[Message], subjects: Sequence[Message]) -> Decided:
        return Decided.of(messages, [self._decode(each.data) for each in subjects])


class Map(Stage):
    """Documents to the fields of claims."""

    name = claim_map.STAGE

    def __init__(self, claim_map: ClaimMap, contract: Contract) -> None:
        self._mapper = Mapper(claim_map, contract)

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        """The fields of each claim, beside its message or its part of one."""
        return Decided.of(*self._mapper.apply(messages, subjects))

    def take_metrics(self) -> Metrics:
        """How many documents had no claim to have."""
        skipped, self._mapper.skipped = self._mapper.skipped, 0
        return Metrics({"skipped": skipped} if skipped else {})


class Validate(Stage):
    """Fields to claims that keep the contract."""

    name = validate.STAGE

    def __init__(self, contract: Contract) -> None:
        self._validator = ClaimValidator(contract)

    def decide(self, messages: Sequence[Message], subjects: Sequence[dict[str, Any]]) -> Decided:
        claims, rejected = self._validator.validate(subjects)
        if not rejected:
            return Decided(messages, claims)
        return Decided(
            [message for place, message in enumerate(messages) if place not in rejected],
            claims,
            [
                (messages[place], resemblance(subjects[place], self.name) or rejection)
                for place, rejection in rejected.items()
            ],
        )


class Enrich(Stage):
    """Claims to rows with score, reasons and quality issues."""

    name = "enrich"

    def __init__(self, rows: ClaimRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._last_row: Mapping[str, Any] | None = None

    def decide(self, messages: Sequence[Message], subjects: Sequence[dict[str, Any]]) -> Decided:
        """The row of each claim, kept by column."""
        rows = self._rows.rows(messages, subjects, self._clock())
        self._last_row = rows[-1]
        return Decided(messages, rows)

    def take_metrics(self) -> Metrics:
        """How often each rule fired, what happened to reference files, the lag of one claim."""
        counts = Counter(self._rows.basis.take_counts())
        for columns, claims in self._rows.take_rule_counts():
            counts["accepted"] += claims
            counts["high_risk"] += claims * columns.high_risk_flag
            counts.update({f"rule_{rule}": claims for rule in columns.risk_reasons})
            counts.update({f"quality_{rule}": claims for rule in columns.quality_issues})
        row, self._last_row = self._last_row, None
        if row is None:
            return Metrics(counts)
        # An operator's schema may leave `ingest_ts` out.
        lag = milliseconds_between(row.get("ingest_ts"), row["processing_timestamp"])
        return Metrics(counts, {} if lag is None else {"event_lag_ms": lag})


def decide(stage: Stage, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
    """What a stage decides; every surprise becomes a rejection here, and only here.

    Its code is `internal_error`. Its text is the type of the exception without the exception's own
    text, which may hold values of the claim.
    """
    try:
        return stage.decide(messages, subjects)
    except Exception:  # a look at one message after the other shows which one it is
        return Decided.joined(
            _decide_alone(stage, message, subject)
            for message, subject in zip(messages, subjects, strict=True)
        )


def _decide_alone(stage: Stage, message: Message, subject: Any) -> Decided:
    try:
        return stage.decide([message], [subject])
    except Exception as surprise:
        text = f"unexpected {type(surprise).__name__} in this step"
        return Decided((), (), [(message, Rejection(stage.name, "internal_error", text))])


def through(stages: Iterable[Stage], messages: Sequence[Message]) -> Decided:
    """Messages through several stages, one after the other, without Beam."""
    decided = Decided(messages, messages)
    rejected: list[tuple[Message, Rejection]] = []
    for stage in stages:
        if not decided.messages:
            break
        decided = decide(stage, decided.messages, decided.outcomes)
        rejected += decided.rejected
    return decided._replace(rejected=rejected)
