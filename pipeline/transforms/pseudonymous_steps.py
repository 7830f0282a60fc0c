"""The DoFns of the steps: as they are, or with pseudonyms in what they pass on.

The choice is made once, when the graph is built: without `pseudonymise` no claim meets any of this.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import apache_beam as beam

from pipeline.claims.contract import Contract
from pipeline.claims.error_row import error_row
from pipeline.claims.formats import json_documents
from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.privacy.named_fields import NamedFields
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.privacy.pseudonymous_rows import PseudonymousRows
from pipeline.privacy.redaction import redacted
from pipeline.privacy.withheld import Withheld
from pipeline.transforms.batch import Batch
from pipeline.transforms.enrich_claims import EnrichFn
from pipeline.transforms.parse_json import DecodeFn
from pipeline.transforms.step import Step
from pipeline.transforms.validate_claims import ValidateFn
from pipeline.transforms.write_errors import ErrorRowFn


class PseudonymousDecodeFn(DecodeFn):
    """Passes on the fields of a message with the message as it may be kept."""

    def __init__(self, asked: Pseudonymisation, contract: Contract) -> None:
        super().__init__(contract)
        self._asked = asked
        self._contract = contract

    def default_label(self) -> str:
        """The name of the step: running jobs can be updated to pseudonyms."""
        return "DecodeFn"

    def setup(self) -> None:
        """Read the key."""
        super().setup()
        self._named = NamedFields(self._contract, self._asked.names, self._asked.pseudonyms())

    def decide(self, message: Message, subject: Any) -> Any:
        """What was decoded before the message was replaced."""
        if isinstance(subject, Exception):
            raise subject
        return subject

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> list[Any]:
        """The same for each: a message no longer has what it was decoded to."""
        return list(map(self.decide, messages, subjects))

    def process(self, element: Message) -> Iterable[Any]:  # type: ignore[override]
        """Decode one message."""
        self.tally["received"] += 1
        return Step.process(self, self._decoded(element))

    def with_subjects(self, batch: Batch) -> Batch:
        """Messages as they may be kept, each with what it was decoded to."""
        return Batch.of(list(map(self._decoded, batch)))

    def _decoded(self, message: Message) -> tuple[Message, Any]:
        try:
            subject: Any = json_documents.decode(message.data, self._exact)
        except Exception as surprise:  # `decide` raises it, for the one boundary to take
            subject = surprise
        return self._named.message(message, subject), subject


class PseudonymousValidateFn(ValidateFn):
    """Has no clear claim id in its rejections, and takes pseudonyms of its own key alone."""

    def __init__(self, asked: Pseudonymisation, contract: Contract) -> None:
        super().__init__(contract)
        self._asked = asked

    def default_label(self) -> str:
        """The name of the step: running jobs can be updated to pseudonyms."""
        return "ValidateFn"

    def setup(self) -> None:
        """Read the key, compile the contract."""
        super().setup()
        self._named = NamedFields(self._contract, self._asked.names, self._asked.pseudonyms())

    def decide(self, message: Message, subject: Any) -> Any:
        """The claim."""
        foreign = self._named.foreign(subject)
        outcome = foreign or super().decide(message, subject)
        return self._named.rejection(outcome) if type(outcome) is Rejection else outcome

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> list[Any]:
        """The same for each."""
        return list(map(self.decide, messages, subjects))


class PseudonymousEnrichFn(EnrichFn):
    """Scores claims, and makes rows with pseudonyms of them."""

    def __init__(self, asked: Pseudonymisation, *given: Any) -> None:
        super().__init__(*given)
        self._asked = asked

    def default_label(self) -> str:
        """The name of the step: running jobs can be updated to pseudonyms."""
        return "EnrichFn"

    def setup(self) -> None:
        """Read the key, compile the rules."""
        super().setup()
        named = NamedFields(self._make_rows[0], self._asked.names, self._asked.pseudonyms())
        self._rows = PseudonymousRows(*self._make_rows, named)


class PseudonymousErrorRowFn(ErrorRowFn):
    """Makes rows of the error table, of messages that are withheld too."""

    def process(self, element: tuple[Message, Rejection]) -> Iterable[Any]:
        """The row of one rejection, beside its message."""
        message, rejection = element
        if not isinstance(message, Withheld):
            return super().process(element)
        row = error_row(message, rejection, self._clock())
        if self._shown is not None:
            row = redacted(row, b"", self._shown)
        return ((message, {**row, **message.columns(), **self._same_for_all}),)


class Steps(NamedTuple):
    """What makes the DoFn of each step."""

    decode: Callable[..., Step] = DecodeFn
    validate: Callable[..., Step] = ValidateFn
    enrich: Callable[..., Step] = EnrichFn
    error_rows: Callable[..., beam.DoFn] = ErrorRowFn


def steps_for(asked: Pseudonymisation | None) -> Steps:
    """The DoFns of a job."""
    if asked is None:
        return Steps()
    return Steps(
        partial(PseudonymousDecodeFn, asked),
        partial(PseudonymousValidateFn, asked),
        partial(PseudonymousEnrichFn, asked),
        PseudonymousErrorRowFn,
    )
