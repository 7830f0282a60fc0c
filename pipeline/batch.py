"""Batches: elements that go from step to step together, by Beam's batched DoFns.

A PCollection is one of single elements all the same: Beam counts those, and takes a batch apart
for a transform that does not know batches. What a batch saves is Beam's own work for an element at
each step, and the processor's cache: a hundred claims in one step cost less than a hundred times
all steps for one claim.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from apache_beam.typehints.batch import BatchConverter

from pipeline.claims.message import Message

MAX_MESSAGES: Final = 100
"""More no longer save anything, and drop out of the cache between two steps."""
MAX_BYTES: Final = 1 << 20
"""Of messages; a larger one travels alone."""
_ELEMENT_BYTES: Final = 1_000
"""What Beam is told of the size of an element, which it would find out by pickling some."""


class Batch(list[Any]):
    """Elements of one bundle, in one window and with one timestamp."""


class _Converter(BatchConverter):
    """Makes batches of elements and takes them apart, as Beam asks."""

    def produce_batch(self, elements: Sequence[Any]) -> Batch:
        return Batch(elements)

    def explode_batch(self, batch: Batch) -> Iterator[Any]:
        return iter(batch)

    def combine_batches(self, batches: Sequence[Batch]) -> Batch:
        return Batch(element for batch in batches for element in batch)

    def get_length(self, batch: Batch) -> int:
        return len(batch)

    def estimate_byte_size(self, batch: Batch) -> int:
        return _ELEMENT_BYTES * len(batch)


@BatchConverter.register(name="claims")  # type: ignore[untyped-decorator]
def _converter(element_type: Any, batch_type: Any) -> _Converter:
    if batch_type is not Batch:
        raise TypeError("not a Batch")  # Beam asks the next one
    return _Converter(batch_type, Any)


def batches_of(messages: Iterable[Message]) -> Iterator[Batch]:
    """Messages in batches of a bounded size."""
    batch, size = Batch(), 0
    for message in messages:
        size += len(message.data)
        if batch and (size > MAX_BYTES or len(batch) == MAX_MESSAGES):
            yield batch
            batch, size = Batch(), len(message.data)
        batch.append(message)
    if batch:
        yield batch
