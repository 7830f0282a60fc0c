"""A step of the graph: one stage of the claim logic as a DoFn, with an output for rejections."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from pipeline.claims.stages import Stage, decide
from pipeline.transforms import collector
from pipeline.transforms.batch import Batch
from pipeline.transforms.metrics import Tally

ACCEPTED, REJECTED = "accepted", "rejected"


class StepFn(beam.DoFn):
    """(Message, subject) -> (Message, outcome) or, rejected, (Message, Rejection).

    The first step takes messages alone, and counts them as received.
    """

    def __init__(self, make_stage: Callable[[], Stage], label: str) -> None:
        """`make_stage` is called once on each worker."""
        self._make_stage = make_stage
        self._label = label

    def default_label(self) -> str:
        """Part of the step's label, which is API."""
        return self._label

    def setup(self) -> None:
        self.tally = Tally()
        self._samples: dict[str, int] = {}
        collector.look_less_often()
        self._stage = self._make_stage()

    def process(self, element: Any) -> Iterable[Any]:
        for output in self.process_batch(Batch.of([element])):
            if isinstance(output, TaggedOutput):
                yield from (TaggedOutput(REJECTED, pair) for pair in output.value)
            else:
                yield from output

    def process_batch(self, batch: Batch) -> Iterator[Batch]:
        if batch.subjects is None:
            self.tally["received"] += len(batch)
        for part in batch.parts():
            subjects = part.messages if part.subjects is None else part.subjects
            decided = decide(self._stage, part.messages, subjects)
            if decided.rejected:
                for _, rejection in decided.rejected:
                    self.tally[f"rejected_{rejection.stage}_{rejection.error_code}"] += 1
                yield TaggedOutput(REJECTED, Batch.of(decided.rejected))
            if decided.messages:
                yield Batch(decided.messages, decided.outcomes)
        if self.tally.is_live:
            self._count()

    def _count(self) -> None:
        """Add what the stage has counted; a bundle gives one sample."""
        counts, samples = self._stage.take_metrics()
        self.tally.update(counts)
        self._samples.update(samples)

    def finish_bundle(self) -> None:
        self._count()
        for name, value in self._samples.items():
            self.tally.sample(name, value)
        self._samples.clear()
        self.tally.flush()


@dataclass
class Decide(beam.PTransform):
    """Messages through one stage, with the outputs `accepted` and `rejected`."""

    name: str
    """Part of the labels, which are API."""
    make_stage: Callable[[], Stage]

    def expand(self, elements: beam.PCollection) -> Any:
        step = beam.ParDo(StepFn(self.make_stage, f"{self.name}Fn"))
        return elements | self.name >> step.with_outputs(REJECTED, main=ACCEPTED)
