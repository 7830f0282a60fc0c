"""Batches: elements that go from step to step together, by Beam's batched DoFns.

A PCollection is one of single elements all the same: Beam counts those, and takes a batch apart
for a transform that does not know batches. What a batch saves is Beam's own work for an element at
each step, and the processor's cache: a hundred claims in one step cost less than a hundred times
all steps for one claim.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from apache_beam.typehints.batch import BatchConverter
from apache_beam.utils.timestamp import MIN_TIMESTAMP, Timestamp

from pipeline.claims.message import Message

MAX_MESSAGES: Final = 100
"""Larger batches save nothing more, and drop out of the processor's cache between steps."""
MAX_BYTES: Final = 1 << 20
"""Bytes of messages in a batch; a larger message travels alone."""
_ELEMENT_BYTES: Final = 1_000
"""The size of an element reported to Beam, which would otherwise pickle some to find out."""
_DATA_OF: Final = itemgetter(Message._fields.index("data"))


class Batch:
    """Elements of one bundle, in one window and with one timestamp."""

    __slots__ = ("messages", "subjects")

    def __init__(self, messages: Sequence[Any], subjects: Sequence[Any] | None = None) -> None:
        """Messages, or messages paired with the outcome of each in the last step."""
        if subjects is not None and len(subjects) != len(messages):  # none must be lost
            counts = f"{len(messages)} messages, {len(subjects)} outcomes"
            raise ValueError(f"expected one outcome per message: {counts}")
        self.messages = messages
        self.subjects = subjects

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Any]:
        if self.subjects is None:
            return iter(self.messages)
        return zip(self.messages, self.subjects, strict=True)

    def parts(self) -> Iterator["Batch"]:
        """The batch in pieces of a bounded size: Beam makes batches of up to 4,096 elements.

        Only messages alone are bounded by `MAX_BYTES`, too: what they came to is in memory already.
        """
        if len(self) <= MAX_MESSAGES and (
            self.subjects is not None or sum(map(len, map(_DATA_OF, self.messages))) <= MAX_BYTES
        ):
            yield self
            return
        if self.subjects is None:
            yield from batches_of(self.messages)
            return
        for start in range(0, len(self), MAX_MESSAGES):
            part = slice(start, start + MAX_MESSAGES)
            yield Batch(self.messages[part], self.subjects[part])

    @classmethod
    def of(cls, elements: Sequence[Any]) -> "Batch":
        if elements and type(elements[0]) is tuple:
            return cls(*map(list, zip(*elements, strict=True)))
        return cls(list(elements))


class _Converter(BatchConverter):
    """Makes batches of elements and takes them apart, as Beam asks."""

    def produce_batch(self, elements: Sequence[Any]) -> Batch:
        return Batch.of(elements)

    def explode_batch(self, batch: Batch) -> Iterator[Any]:
        return iter(batch)

    def combine_batches(self, batches: Sequence[Batch]) -> Batch:
        return Batch.of([element for batch in batches for element in batch])

    def get_length(self, batch: Batch) -> int:
        return len(batch)

    def estimate_byte_size(self, batch: Batch) -> int:
        return _ELEMENT_BYTES * len(batch)


@BatchConverter.register(name="claims")  # type: ignore[untyped-decorator]
def _converter(element_type: Any, batch_type: Any) -> _Converter:
    if batch_type is not Batch:
        raise TypeError("not a Batch")  # Beam asks the next one
    return _Converter(batch_type, Any)


def timestamp_of(message: Message) -> Timestamp:
    """Beam's own timestamp for a message of Pub/Sub, or for a line of a file."""
    if message.publish_time is None:
        return MIN_TIMESTAMP
    try:
        return Timestamp.from_rfc3339(message.publish_time)
    except ValueError:  # more digits than Beam reads, for one; a timestamp is not worth a bundle
        return MIN_TIMESTAMP


def batches_of(messages: Iterable[Message]) -> Iterator[Batch]:
    batch: list[Message] = []
    size = 0
    for message in messages:
        size += len(message.data)
        if batch and (size > MAX_BYTES or len(batch) == MAX_MESSAGES):
            yield Batch(batch)
            batch, size = [], len(message.data)
        batch.append(message)
    if batch:
        yield Batch(batch)
