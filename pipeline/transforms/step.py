"""What the steps share: one pure function over messages, and an output for its rejections."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection
from pipeline.transforms import collector
from pipeline.transforms.batch import Batch
from pipeline.transforms.metrics import Tally

ACCEPTED, REJECTED = "accepted", "rejected"


class Step(beam.DoFn):
    """Takes (Message, subject) and gives (Message, outcome) or, rejected, (Message, Rejection).

    This is the one boundary that turns a surprise into a rejection: code `internal_error`, with
    the type of the exception and nothing of its text, which may hold values of the claim.
    """

    stage: str

    @abstractmethod
    def decide(self, message: Message, subject: Any) -> Any:
        """The outcome for one message, or its `Rejection`."""

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Sequence[Any]:
        """The outcome for each message, in a list where there may be rejections.

        Subclasses that decide on many at once are faster.
        """
        return list(map(self.decide, messages, subjects))

    def setup(self) -> None:
        """Make the tally; subclasses compile what they need here too."""
        self.tally = Tally()
        collector.calm()

    def process(self, element: tuple[Message, Any]) -> Iterable[Any]:
        """Decide on one message."""
        message, subject = element
        outcome = self._outcome(message, subject)
        if type(outcome) is Rejection:
            self._count((outcome,))
            return (TaggedOutput(REJECTED, (message, outcome)),)
        return ((message, outcome),)

    def process_batch(self, batch: Batch) -> Iterator[Batch]:
        """Decide on each message of a batch."""
        for part in batch.parts():
            yield from self._decided(part)

    def _decided(self, batch: Batch) -> Iterator[Batch]:
        messages, subjects = batch.messages, batch.subjects or ()
        try:
            outcomes = self.decide_all(messages, subjects)
        except Exception:  # of which message, is seen one by one
            outcomes = list(map(self._outcome, messages, subjects))
        if type(outcomes) is list and Rejection in map(type, outcomes):
            pairs = list(zip(messages, outcomes, strict=True))
            rejected = Batch.of([pair for pair in pairs if type(pair[1]) is Rejection])
            accepted = Batch.of([pair for pair in pairs if type(pair[1]) is not Rejection])
            self._count(rejection for _, rejection in rejected)
            yield TaggedOutput(REJECTED, rejected)
        else:
            accepted = Batch(messages, outcomes)
        if accepted:
            yield accepted

    def _outcome(self, message: Message, subject: Any) -> Any:
        try:
            return self.decide(message, subject)
        except Exception as surprise:
            kind = type(surprise).__name__
            return Rejection(self.stage, "internal_error", f"unexpected {kind} in this step")

    def _count(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self.tally[f"rejected_{rejection.stage}_{rejection.error_code}"] += 1

    def finish_bundle(self) -> None:
        """Hand the counts of the bundle to Beam."""
        self.tally.flush()


def outputs_of(step: Step) -> Any:
    """A ParDo of a step, whose result has the outputs `accepted` and `rejected`."""
    return beam.ParDo(step).with_outputs(REJECTED, main=ACCEPTED)
