"""What Dataflow compares when a job is updated: steps, coders, windowing, state; read from a proto.

https://cloud.google.com/dataflow/docs/guides/updating-a-pipeline tells what it refuses.
"""

import hashlib
import json
from typing import Any

from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.pipeline_context import PipelineContext
from google.protobuf import json_format
from google.protobuf.message import Message as Proto

Step = dict[str, Any]
"""`kind`, `inputs`, `outputs`, and what a step keeps: `state`, `timers`, `side_inputs`, `needs`."""
Graph = dict[str, Step]
"""Steps by their full labels; composites show in the labels of their parts."""

_PARDO = "beam:transform:pardo:v1"
_CODERS = ("coder_id", "element_coder_id", "key_coder_id", "value_coder_id", "accumulator_coder_id")
_NEEDS = ("requires_stable_input", "requires_time_sorted_input", "requests_finalization")


def fingerprint(pipeline: beam_runner_api_pb2.Pipeline) -> Graph:
    """The steps of a pipeline as data that a person can compare, equal from run to run."""
    return _Reader(pipeline).graph()


class _Reader:
    def __init__(self, pipeline: beam_runner_api_pb2.Pipeline) -> None:
        self._parts = pipeline.components
        self._coders = PipelineContext(pipeline.components).coders

    def graph(self) -> Graph:
        steps = self._parts.transforms.values()
        leaves = {step.unique_name: step for step in steps if not step.subtransforms}
        return {label: self._step(leaves[label]) for label in sorted(leaves)}

    def _step(self, transform: Any) -> Step:
        step: Step = {
            "kind": _short(transform.spec.urn),
            "inputs": sorted(self._collection(each) for each in transform.inputs.values()),
            "outputs": {
                name: self._collection(each) for name, each in sorted(transform.outputs.items())
            },
        }
        if transform.spec.urn == _PARDO:
            kept = self._kept(beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload))
            step |= {name: value for name, value in kept.items() if value}
        return step

    def _kept(self, pardo: Any) -> Step:
        needs = [name for name in _NEEDS if getattr(pardo, name)]
        if pardo.restriction_coder_id:
            needs.append(f"restrictions as {self._coder(pardo.restriction_coder_id)}")
        return {
            "state": {name: self._state(spec) for name, spec in sorted(pardo.state_specs.items())},
            "timers": {
                name: self._coder(spec.timer_family_coder_id)
                for name, spec in sorted(pardo.timer_family_specs.items())
            },
            "side_inputs": {
                name: _short(spec.access_pattern.urn)
                for name, spec in sorted(pardo.side_inputs.items())
            },
            "needs": needs,
        }

    def _state(self, spec: Any) -> str:
        kind = spec.WhichOneof("spec")
        cell = getattr(spec, kind)
        coders = [self._coder(getattr(cell, name)) for name in _CODERS if getattr(cell, name, "")]
        return f"{kind} of {', '.join(coders)}"

    def _collection(self, identifier: str) -> str:
        collection = self._parts.pcollections[identifier]
        bounded = collection.is_bounded == beam_runner_api_pb2.IsBounded.BOUNDED
        return ", ".join(
            (
                self._coder(collection.coder_id),
                "bounded" if bounded else "unbounded",
                *self._windowing(collection.windowing_strategy_id),
            )
        )

    def _coder(self, identifier: str) -> str:
        # By class: pickled coders have other bytes in another Python.
        return repr(self._coders.get_by_id(identifier)).replace("Coder", "")

    def _windowing(self, identifier: str) -> list[str]:
        strategy = self._parts.windowing_strategies[identifier]
        function = strategy.window_fn
        told = [_short(function.urn)]
        if function.payload:
            told[0] += f" {hashlib.sha256(function.payload).hexdigest()[:8]}"
        if strategy.trigger.WhichOneof("trigger") != "default":
            told.append(f"trigger {_json(strategy.trigger)}")
        if strategy.accumulation_mode != beam_runner_api_pb2.AccumulationMode.DISCARDING:
            told.append("accumulating")
        if strategy.allowed_lateness:
            told.append(f"{strategy.allowed_lateness} ms late")
        return told


def _short(urn: str) -> str:
    """`beam:transform:pardo:v1` as `pardo`; a version other than the first stays."""
    return urn.split(":", 2)[-1].removesuffix(":v1")


def _json(message: Proto) -> str:
    return json.dumps(json_format.MessageToDict(message), sort_keys=True)
