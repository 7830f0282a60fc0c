"""The whole pipeline on emulators while things break: what can be broken, and the proof after."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.cloud.bigquery import Client
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient, types

from claims_ops.reconcile.reconciliation import Books, Reconciliation
from claims_ops.shared.queries import Queries
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.sinks.bigquery.table_setup import TableSetup
from sandbox.emulators.emulators import PROJECT
from sandbox.synthetic.samples import messages
from tests.conftest import Feed
from tests.support.bigquery.cutting_proxy import CuttingProxy
from tests.support.faults import journal
from tests.support.faults.bigquery_process import BigqueryProcess
from tests.support.faults.processes import PROCESSES
from tests.support.faults.worker import SETTINGS, Orders, hand_back, work

PATIENCE_SECONDS = 90


class Scene:
    """Messages in a subscription, a worker that moves them into BigQuery, and faults."""

    def __init__(
        self,
        name: str,
        seed: int,
        feed: Feed,
        pubsub_address: str,
        bigquery: BigqueryProcess,
        proxy: CuttingProxy,
        directory: Path,
    ) -> None:
        self._feed = feed
        self._bigquery, self._proxy = bigquery, proxy
        self._chance = random.Random(seed)
        self.claims = TableName(PROJECT, name, "claims")
        self.errors = TableName(PROJECT, name, "errors")
        self._orders = Orders(
            subscription=feed.subscription,
            claims=self.claims,
            errors=self.errors,
            storage_address=proxy.address,
            pubsub_address=pubsub_address,
            journal=directory / "journal",
            seed=seed,
            redelivered_share=0.02,
        )
        self._worker: Any = None
        self._cuts: list[float] = []
        self.told: list[str] = []
        """The faults so far."""
        with bigquery.client() as client:
            client.create_dataset(f"{PROJECT}.{name}")
            setup = TableSetup(client, create=True)
            setup.ensure(self.claims, claims_table(SETTINGS.contract))
            setup.ensure(self.errors, errors_table())
        self.faults: dict[str, Callable[[], None]] = {
            "worker killed": self._kill_worker,
            "BigQuery killed": self._kill_bigquery,
            "BigQuery stalled": self._stall_bigquery,
            "connections cut": self._cut,
            "request cut short": self._cut_short,
            "connections silent": self._swallow,
            "disk full": self._fill_disk,
            "BigQuery stopped": self._stop_bigquery,
        }

    def publish(self, count: int, seed: int) -> dict[str, str]:
        """Publish messages; by id what is to become of them, `accepted` or `rejected`."""
        publisher = PublisherClient(types.BatchSettings(max_messages=100))
        sent = [
            (publisher.publish(self._feed.topic, each.data, source="test"), each.expected)
            for each in messages(count, 0.2, seed, datetime.now(UTC))
        ]
        expected = {future.result(timeout=30): outcome for future, outcome in sent}
        publisher.stop()
        publisher.transport.close()
        return expected

    def start_worker(self) -> None:
        self._worker = PROCESSES.Process(target=work, args=(self._orders,), daemon=True)
        self._worker.start()

    def stop_worker(self) -> None:
        if self._worker:
            self._worker.kill()
            self._worker.join()

    def break_things(self, names: Iterable[str]) -> None:
        """One fault after the other, while the worker works."""
        for name in names:
            time.sleep(self._chance.uniform(0.2, 1.5))
            self.faults[name]()
            self.told.append(name)

    def finish(self, ids: Iterable[str]) -> None:
        """Wait until every message is acknowledged."""
        wanted = set(ids)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := wanted - journal.acknowledged(journal.read(self._orders.journal)):
            assert self._worker.is_alive()
            assert time.monotonic() < deadline, f"{len(left)} messages are not done: {self.told}"
            time.sleep(0.1)

    def reconcile(self, ids: Iterable[str]) -> Reconciliation:
        """The balance, as `claims reconcile --message-ids` draws it."""
        with self._bigquery.client() as client:
            return Books(Queries(client), self.claims, self.errors).by_ids(ids)

    def causes_of_duplicates(self) -> tuple[Any, set[str]]:
        """Why messages have several rows: counted by cause, and those without any."""
        rows: Counter[str] = Counter()
        with self._bigquery.client() as client:
            for table in (self.claims, self.errors):
                rows.update({row.message_id: row.n for row in _counts(client, table)})
        return journal.causes(rows, journal.read(self._orders.journal), self._cuts)

    def _kill_worker(self) -> None:
        self.stop_worker()
        # Pub/Sub would wait until the leases of the dead end; the test does not.
        open_ones = [
            lease
            for bundle in journal.read(self._orders.journal)
            if bundle.ended is None
            for lease in bundle.leases
        ]
        client = SubscriberClient()
        hand_back(client, self._feed.subscription, open_ones)
        client.close()
        self.start_worker()

    def _kill_bigquery(self) -> None:
        self._note_cut()
        self._bigquery.kill()
        self._start_bigquery()

    def _stop_bigquery(self) -> None:
        self._note_cut()
        self._bigquery.stop()
        self._start_bigquery()

    def _start_bigquery(self) -> None:
        self._bigquery.start()
        self._proxy.move(self._bigquery.storage_address)
        self._proxy.cut()
        self._note_cut()

    def _stall_bigquery(self) -> None:
        self._note_cut()
        self._bigquery.stall()
        time.sleep(self._chance.uniform(0.5, 4))  # the sink gives up on an answer after 3 s
        self._bigquery.resume()
        self._note_cut()

    def _fill_disk(self) -> None:
        self._note_cut()
        self._bigquery.fill_disk()
        time.sleep(self._chance.uniform(0.5, 3))
        self._bigquery.free_disk()
        self._note_cut()

    def _cut(self) -> None:
        self._note_cut()
        self._proxy.cut()

    def _swallow(self) -> None:
        self._note_cut()
        self._proxy.swallow()

    def _cut_short(self) -> None:
        self._proxy.cut_after(self._chance.randrange(100, 20_000))
        time.sleep(1)
        self._note_cut()

    def _note_cut(self) -> None:
        self._cuts.append(time.monotonic())


def _counts(client: Client, table: TableName) -> Any:
    sql = f"SELECT message_id, COUNT(*) AS n FROM `{table}` GROUP BY message_id"
    return client.query_and_wait(sql)
