"""Every input of the fuzzer's corpus, without the fuzzer; and that its oracles find faults."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.claims.core import CLEAN
from tests.support.fuzz import fuzz
from tests.support.fuzz.faults import FAULTS
from tests.support.fuzz.mutator import mutate
from tests.support.fuzz.oracles import TARGETS

MAX_CORPUS_BYTES = 1 << 20


def inputs(target: str) -> list[Path]:
    return sorted((fuzz.CORPUS / target).iterdir())


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target: str):
    assert len(inputs(target)) > 10
    for path in inputs(target):
        try:
            TARGETS[target](path.read_bytes())
        except AssertionError as error:
            raise AssertionError(path.name) from error


def test_corpus_is_small_and_belongs_to_the_targets():
    assert {path.name for path in fuzz.CORPUS.iterdir()} == set(TARGETS) == set(fuzz.TARGETS)
    sizes = [path.stat().st_size for target in TARGETS for path in inputs(target)]
    assert max(sizes) <= fuzz.LONGEST_KEPT
    assert sum(sizes) < MAX_CORPUS_BYTES


def found(fault: str) -> Iterator[str]:
    """The targets that find a fault in the corpus."""
    with FAULTS[fault]:
        for target, check in TARGETS.items():
            for path in inputs(target):
                try:
                    check(path.read_bytes())
                except Exception:
                    yield target
                    break


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"hang"}))
def test_every_fault_is_found(fault: str):
    assert list(found(fault)), "the oracles do not see it"


def test_mutations_are_messages_of_their_own():
    """Half of what is made of a claim is JSON still, and nearly all of it is new."""
    seed = json.dumps(CLEAN).encode()
    made = [mutate(seed, 4_096, number, lambda data, size: data) for number in range(300)]
    assert 100 < len(set(made)) < 250
    assert all(len(each) <= 4_096 for each in made)
    assert made == [mutate(seed, 4_096, number, lambda data, size: data) for number in range(300)]
