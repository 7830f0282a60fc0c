"""The mended DirectRunner sees in a DoFn what Beam's own does."""

import apache_beam as beam
import pytest
from apache_beam.coders import BytesCoder
from apache_beam.transforms import userstate

from sandbox.demo.direct_runner import once_per_class

SEEN = userstate.ReadModifyWriteStateSpec("seen", BytesCoder())
STATE = beam.DoFn.StateParam(SEEN)


class PlainFn(beam.DoFn):
    def process(self, element):
        yield element


class StatefulFn(beam.DoFn):
    def process(self, element, state=STATE):
        yield element


class Functions:
    def plain(self, element):
        return [element]

    def stateful(self, element, state=STATE):
        return [element]


@pytest.mark.parametrize(
    "transform, states, looks",
    [
        (beam.ParDo(PlainFn()), set(), 1),
        (beam.ParDo(StatefulFn()), {SEEN}, 1),
        (beam.Map(lambda element: element), set(), 1),
        (beam.ParDo(Functions().plain), set(), 1),
        (beam.ParDo(Functions().stateful), {SEEN}, 2),
        (beam.Map(len), set(), 2),
    ],
)
def test_the_same_states_are_found(transform: beam.ParDo, states: set, looks: int):
    looked = []

    def look(dofn):
        looked.append(dofn)
        return userstate.get_dofn_specs(dofn)

    specs = once_per_class(look)
    assert specs(transform.fn) == specs(transform.fn) == look(transform.fn) == (states, set())
    assert len(looked) == looks + 1


def test_one_function_says_nothing_of_the_next():
    specs = once_per_class(userstate.get_dofn_specs)
    assert specs(beam.ParDo(Functions().plain).fn) == (set(), set())
    assert specs(beam.ParDo(Functions().stateful).fn) == ({SEEN}, set())
