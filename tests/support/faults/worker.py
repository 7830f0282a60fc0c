"""A worker that models Dataflow's, for tests that kill it.

Beam's DirectRunner acknowledges messages before it processes them, and so loses what a crash leaves
unfinished. Dataflow acknowledges a message when its bundle is committed, and runs a bundle that
failed again. So does this worker: it pulls some messages, runs the real graph over them as one
bundle, and acknowledges them when that has ended well; else it hands them back.

It does what Pub/Sub may do besides: messages come in another order, and some of those that are
done come again.
"""

import json
import logging
import os
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient

from pipeline import graph
from pipeline.claims.contract import Contract
from pipeline.claims.message import Message
from pipeline.claims.rules import Rules
from pipeline.claims.tables import TableName, claims_table, errors_table
from pipeline.settings import Settings
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.storage_write import StorageWrite

SETTINGS = Settings(Contract.default(), Rules.default(), 0.5, "0.0.0")
LIMITS = AppendLimits(
    request_bytes=8_000,
    budget_seconds=6,
    first_backoff_seconds=0.02,
    max_backoff_seconds=0.5,
    answer_timeout_seconds=3,
)
BUNDLES = (3, 15, 40)
"""Messages of a bundle, at most."""


@dataclass(frozen=True)
class Orders:
    """What a worker is to do."""

    subscription: str
    claims: TableName
    errors: TableName
    storage_address: str
    pubsub_address: str
    journal: Path
    seed: int
    redelivered_share: float = 0.0
    """Of the messages that are done: they are handed back all the same."""


class JumpingClock:
    """A clock that is set wrong, forward or back by up to two days, now and then."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._offset = timedelta()

    def __call__(self) -> str:
        if self._chance.random() < 0.05:
            self._offset = timedelta(hours=self._chance.uniform(-48, 48))
        return (datetime.now(UTC) + self._offset).isoformat()


class Journal:
    """What a worker did, a line each, so that it can be read when the worker is killed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, event: str, bundle: str, messages: list[Any] | None = None) -> None:
        entry = {
            "at": time.monotonic(),
            "event": event,
            "bundle": bundle,
            "ids": [each.message.message_id for each in messages or ()],
            "leases": [each.ack_id for each in messages or ()],
        }
        self._file.write(json.dumps(entry) + "\n")


def sinks(orders: Orders) -> graph.Sinks:
    tables = (
        (orders.claims, claims_table(SETTINGS.contract)),
        (orders.errors, errors_table()),
    )
    return graph.Sinks(
        *(
            StorageWrite(name, table.columns, endpoint=orders.storage_address, limits=LIMITS)
            for name, table in tables
        )
    )


def run_bundle(orders: Orders, received: list[Any], seed: int) -> None:
    messages = [
        Message(
            each.message.data,
            each.message.message_id,
            each.message.publish_time.isoformat(),
            dict(each.message.attributes),
        )
        for each in received
    ]
    with beam.Pipeline("FnApiRunner") as pipeline:
        source = pipeline | "ReadMessages" >> beam.Create(messages, reshuffle=False)
        graph.build(source, SETTINGS, sinks(orders), JumpingClock(seed))


def hand_back(client: SubscriberClient, subscription: str, leases: list[str]) -> None:
    """End leases, as Pub/Sub does by itself when nobody extends them: the messages come again."""
    if leases:
        client.modify_ack_deadline(
            subscription=subscription, ack_ids=leases, ack_deadline_seconds=0
        )


def work(orders: Orders) -> None:
    """Work until killed."""
    logging.disable()
    os.environ["PUBSUB_EMULATOR_HOST"] = orders.pubsub_address
    chance = random.Random(f"{orders.seed} {os.getpid()}")
    journal = Journal(orders.journal)
    client = SubscriberClient()
    number = 0
    while True:
        most = chance.choice(BUNDLES)
        try:
            answer = client.pull(
                subscription=orders.subscription, max_messages=most, retry=None, timeout=5
            )
        except DeadlineExceeded:
            continue
        received = list(answer.received_messages)
        if not received:
            continue
        chance.shuffle(received)
        number += 1
        bundle = f"{os.getpid()}-{number}"
        journal.write("began", bundle, received)
        try:
            run_bundle(orders, received, chance.getrandbits(32))
        except Exception as failure:
            journal.write(f"failed: {_cause(failure)}", bundle)
            hand_back(client, orders.subscription, [each.ack_id for each in received])
            continue
        again = [each for each in received if chance.random() < orders.redelivered_share]
        done = [each for each in received if each not in again]
        if done:
            client.acknowledge(
                subscription=orders.subscription, ack_ids=[each.ack_id for each in done]
            )
        journal.write("acknowledged", bundle, done)
        hand_back(client, orders.subscription, [each.ack_id for each in again])


def _cause(failure: Exception) -> str:
    """The exception that failed the bundle: Beam raises it again as one of its own kind."""
    return type(failure).__name__
