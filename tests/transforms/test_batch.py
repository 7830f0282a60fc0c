"""Batches: bounded, and nothing is lost or reordered on the way through them."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.typehints.batch import BatchConverter

from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.stages import Decided, Parse, Stage
from pipeline.privacy.pseudonymisation import Pseudonymisation
from pipeline.settings import Settings
from pipeline.transforms.batch import MAX_BYTES, MAX_MESSAGES, Batch, batches_of
from pipeline.transforms.step import Decide, StepFn


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [
        ([], []),
        ([0], [1]),
        ([10] * (2 * MAX_MESSAGES + 1), [MAX_MESSAGES, MAX_MESSAGES, 1]),
        ([MAX_BYTES // 2] * 4, [2, 2]),
        ([1, 2 * MAX_BYTES, 1], [1, 1, 1]),
    ],
)
def test_batches_are_bounded(sizes: list[int], lengths: list[int]) -> None:
    messages = [Message(bytes(size), str(place)) for place, size in enumerate(sizes)]
    batches = list(batches_of(messages))
    assert [len(batch) for batch in batches] == lengths
    assert [message for batch in batches for message in batch] == messages


@pytest.mark.parametrize("names", [(), ("patient_id",)])
def test_a_large_batch_is_decoded_bit_by_bit(names: tuple[str, ...], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    chosen = Pseudonymisation(names, str(key)) if names else None
    settings = Settings(Contract.default(), Rules.default(), 0.5, "0", pseudonymisation=chosen)
    decode = StepFn(settings.parse, "")
    decode.setup()
    sizes = [*[2] * (MAX_MESSAGES + 1), MAX_BYTES, MAX_BYTES, 2]
    messages = [Message(b" " * (size - 2) + b"{}", str(n)) for n, size in enumerate(sizes)]
    batches = list(decode.process_batch(Batch(messages)))
    assert [len(batch) for batch in batches] == [MAX_MESSAGES, 1, 1, 1, 1]
    found = [message.message_id for batch in batches for message in batch.messages]
    assert found == [message.message_id for message in messages]
    assert decode.tally["received"] == len(messages)


def test_the_converter_keeps_every_element() -> None:
    converter = BatchConverter.from_typehints(element_type=int, batch_type=Batch)
    batch = converter.produce_batch([1, 2, 3])
    assert (list(converter.explode_batch(batch)), converter.get_length(batch)) == ([1, 2, 3], 3)
    assert list(converter.combine_batches([batch, Batch([4])])) == [1, 2, 3, 4]
    assert converter.estimate_byte_size(batch) > 0


def test_pairs_are_kept_apart_and_come_out_as_pairs() -> None:
    pairs = [(Message(b"a"), 1), (Message(b"b"), 2)]
    batch = Batch.of(pairs)
    assert (batch.messages, batch.subjects) == ([Message(b"a"), Message(b"b")], [1, 2])
    assert (list(batch), len(batch)) == (pairs, 2)


class _Forgetful(Stage):
    name = "parse"

    def decide(self, messages: Sequence[Message], subjects: Sequence[Any]) -> Decided:
        return Decided(messages, subjects[1:])


@pytest.mark.parametrize("subjects", [[1, 2], None])
def test_a_step_that_loses_a_message_fails_the_bundle(subjects: list[int] | None) -> None:
    step = StepFn(_Forgetful, "")
    step.setup()
    with pytest.raises(ValueError, match="2 messages"):
        list(step.process_batch(Batch([Message(b"1"), Message(b"2")], subjects)))


def test_no_other_type_gets_our_converter() -> None:
    with pytest.raises(TypeError):
        BatchConverter.from_typehints(element_type=int, batch_type=set)


class _InBatchesFn(beam.DoFn):
    @beam.DoFn.yields_batches
    def process(self, element: int) -> Iterator[Batch]:
        texts = [
            b'{"claim_id": "%d"}' % number if number % 3 else b"no" for number in range(element)
        ]
        yield from batches_of(Message(text, str(place)) for place, text in enumerate(texts))

    def infer_output_type(self, input_type: object) -> type:
        return Message


def test_a_step_takes_batches_and_gives_both_outputs_in_batches() -> None:
    with beam.Pipeline("FnApiRunner") as pipeline:
        messages = pipeline | beam.Create([250]) | "InBatches" >> beam.ParDo(_InBatchesFn())
        parsed = messages | "ParseJson" >> Decide("Decode", partial(Parse, Contract.default()))
        ids = parsed.accepted | "Ids" >> beam.Map(lambda element: element[0].message_id)
        assert_that(ids, equal_to([str(n) for n in range(250) if n % 3]), label="Accepted")
        codes = parsed.rejected | "Codes" >> beam.Map(lambda element: element[1].error_code)
        assert_that(codes, equal_to(["invalid_json"] * 84), label="Rejected")
