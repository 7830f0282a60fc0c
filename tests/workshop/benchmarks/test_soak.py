"""The soak in a short form, and its judge."""

import pytest
from google.cloud import bigquery

from claims_ops.shared.message_counts import MessageCounts
from sandbox.demo.local_pipeline import Route
from tests.conftest import Feed
from workshop.benchmarks.soak import Look, page, soak, verdict

COUNT = 60


def looks(memory_mb=lambda n: 200.0, threads=lambda n: 10, files=lambda n: 20) -> list[Look]:
    return [Look(n, 100 * n, memory_mb(n), threads(n), files(n)) for n in range(COUNT)]


def test_what_stays_is_flat():
    assert verdict(looks()).is_flat
    assert verdict(looks(threads=lambda n: 10 + n % 3, files=lambda n: 20 + n % 5)).is_flat


def test_what_grows_while_it_gets_warm_is_flat():
    assert verdict(looks(memory_mb=lambda n: 200.0 + min(n, 15))).is_flat
    assert verdict(looks(threads=lambda n: 10 + min(n // 10, 4))).is_flat


@pytest.mark.parametrize(
    "grown",
    [
        looks(memory_mb=lambda n: 200.0 + n),
        looks(threads=lambda n: 10 + n // 10),
        looks(files=lambda n: 20 + n),
    ],
    ids=["memory", "threads", "files"],
)
def test_what_grows_on_is_not(grown: list[Look]):
    judged = verdict(grown)
    assert not judged.is_flat
    assert "NOT FLAT" in page(grown, judged, MessageCounts(1, 1, 0), {"date": "today"})


@pytest.mark.usefixtures("emulated")
def test_short_form(bigquery_client: bigquery.Client, feed: Feed, dataset: str):
    route = Route(*feed, f"{dataset}.claims", f"{dataset}.errors")
    seen, balance = soak(route, bigquery_client, 15, 50, 0.5, lambda look: None)
    assert balance.published == 751
    judged = verdict(seen)
    assert judged.is_flat, seen
    assert ": flat." in page(seen, judged, balance, {"date": "today"})
