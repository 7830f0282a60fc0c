"""ParseJson: messages to the fields of claims."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from pipeline.claims.contract import Contract
from pipeline.claims.formats import json_documents
from pipeline.claims.message import Message
from pipeline.transforms.batch import Batch, bounded
from pipeline.transforms.step import Step, outputs_of


class DecodeFn(Step):
    """Decodes messages; a subject of this step is the message itself."""

    stage = json_documents.STAGE

    def __init__(self, contract: Contract) -> None:
        self._exact = contract.names("NUMERIC", "BIGNUMERIC", "INTEGER")

    def decide(self, message: Message, subject: Any) -> Any:
        """The fields of the message."""
        return json_documents.decode(message.data, self._exact)

    def decide_all(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Sequence[Any]:
        """The fields of each message."""
        return [json_documents.decode(message.data, self._exact) for message in messages]

    def process(self, element: Message) -> Iterable[Any]:  # type: ignore[override]
        """Decode one message."""
        self.tally["received"] += 1
        return super().process((element, element))

    def process_batch(self, batch: Batch) -> Iterator[Batch]:
        """Decode messages."""
        self.tally["received"] += len(batch)
        for some in bounded(batch):
            yield from super().process_batch(self.with_subjects(some))

    def with_subjects(self, batch: Batch) -> Batch:
        """Messages with the subjects that `decide` takes."""
        return Batch(batch.messages, batch.messages)


@dataclass
class ParseJson(beam.PTransform):
    """Message -> `accepted` (Message, fields) and `rejected` (Message, Rejection)."""

    contract: Contract
    """Tells in which fields a number must keep every digit."""
    step: Callable[..., Step] = DecodeFn

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, messages: beam.PCollection) -> Any:
        """Wire the step."""
        return messages | "Decode" >> outputs_of(self.step(self.contract))
