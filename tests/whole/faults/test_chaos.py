"""Whatever breaks while claims stream: every message becomes a row, and duplicates have a cause.

A small form runs with the other tests; `make chaos` runs the long one, 20 seeds.
"""

import os
import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.emulators.emulators import PubsubServer
from tests.conftest import Feed
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.faults.bigquery_process import BigqueryProcess
from tests.support.faults.scene import Scene

SEEDS = int(os.environ.get("CHAOS_SEEDS", "1"))
MESSAGES = int(os.environ.get("CHAOS_MESSAGES", "200"))
FAULTS = int(os.environ.get("CHAOS_FAULTS", "4"))


@pytest.fixture(scope="module")
def bigquery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigqueryProcess]:
    """A BigQuery emulator of our own, that may be broken."""
    with BigqueryProcess(tmp_path_factory.mktemp("bigquery")) as started:
        yield started


@pytest.fixture
def proxy(bigquery: BigqueryProcess) -> Iterator[CuttingProxy]:
    """What the worker takes for BigQuery: its address stays."""
    with CuttingProxy(bigquery.storage_address) as started:
        yield started


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_fault_loses_a_message(
    seed: int,
    feed: Feed,
    pubsub_server: PubsubServer,
    bigquery: BigqueryProcess,
    proxy: CuttingProxy,
    tmp_path: Path,
):
    name = f"chaos_{seed}_{uuid.uuid4().hex[:8]}"
    scene = Scene(name, seed, feed, pubsub_server.address, bigquery, proxy, tmp_path)
    expected = scene.publish(MESSAGES, seed)
    faults = script_of(seed, list(scene.faults))
    scene.start_worker()
    try:
        scene.break_things(faults)
        scene.finish(expected)
    finally:
        scene.stop_worker()
    outcome = scene.reconcile(expected)
    assert outcome.closes, outcome
    accepted = sum(each == "accepted" for each in expected.values())
    assert outcome.balance.claims == accepted  # none is rejected because something broke
    causes, unexplained = scene.causes_of_duplicates()
    print(
        f"\nseed {seed}: {outcome.balance}, 0 missing; {', '.join(faults)};"
        f" duplicates: {dict(causes) or 'none'}"
    )
    assert not unexplained
    assert bool(outcome.figures.duplicates) == bool(causes)


def script_of(seed: int, names: list[str]) -> list[str]:
    """Faults in an order of the seed's own, each of them once before any comes again."""
    chance = random.Random(seed)
    script: list[str] = []
    while len(script) < FAULTS:
        script += chance.sample(names, len(names))
    return script[:FAULTS]
