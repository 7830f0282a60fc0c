"""The judge of duplicates: each cause is told from the others, and none is made up."""

from tests.support.faults.journal import (
    FAILED,
    HANDED_BACK,
    KILLED,
    REPEATED,
    Bundle,
    acknowledged,
    causes,
)

DONE = Bundle(1.0, ["a", "b"], [], 2.0, frozenset("ab"))
DEAD = Bundle(3.0, ["c"], [])
BROKEN = Bundle(4.0, ["d"], [], 5.0, has_failed=True)
GIVEN_BACK = Bundle(6.0, ["e", "f"], [], 7.0, frozenset("f"))
AGAIN = Bundle(8.0, ["c", "d", "e"], [], 9.0, frozenset("cde"))
BUNDLES = [DONE, DEAD, BROKEN, GIVEN_BACK, AGAIN]


def test_what_is_done():
    assert acknowledged(BUNDLES) == set("abcdef")
    assert acknowledged(BUNDLES[:-1]) == set("abf")


def test_causes():
    rows = dict.fromkeys("cde", 2) | dict.fromkeys("abf", 1)
    assert causes(rows, BUNDLES, []) == ({KILLED: 1, FAILED: 1, HANDED_BACK: 1}, set())


def test_a_lost_answer_is_a_cause_only_while_the_bundle_ran():
    assert causes({"a": 2}, BUNDLES, [1.5]) == ({REPEATED: 1}, set())
    assert causes({"a": 2}, BUNDLES, [2.5]) == ({}, {"a"})


def test_more_rows_than_runs_are_not_explained_by_the_runs():
    assert causes({"c": 3}, BUNDLES, []) == ({}, {"c"})
    assert causes({"c": 3}, BUNDLES, [3.5]) == ({REPEATED: 1}, set())
