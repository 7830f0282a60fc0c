"""`claims replay` killed while it publishes, and run again: what was recorded comes once."""

import os
import time
from collections import Counter

import pytest
from google.cloud import bigquery

from claims_ops.replay.republication import MAX_REQUEST_MESSAGES
from tests.claims_ops.replay.test_replay import Errors, some
from tests.conftest import Feed
from tests.support.faults.processes import PROCESSES, command

MESSAGES, RATE = 60, 20
assert RATE < MAX_REQUEST_MESSAGES  # a batch has the messages of a second


@pytest.mark.usefixtures("emulated")
def test_a_killed_replay_is_completed_by_the_next(
    bigquery_client: bigquery.Client, dataset: str, feed: Feed
):
    errors = Errors(bigquery_client, dataset, feed)
    errors.add(some(MESSAGES))
    arguments = ["replay", "--error-table", errors.name, "--topic", feed.topic, "--yes"]
    process = PROCESSES.Process(
        target=command, args=([*arguments, "--rate", str(RATE)], dict(os.environ))
    )
    process.start()
    recorded: list[str] = []
    while not recorded:
        assert process.is_alive()
        time.sleep(0.05)
        names = [table.table_id for table in bigquery_client.list_tables(dataset)]
        if "errors_replays" in names:
            recorded = [row["message_id"] for row in errors.recorded()]
    process.kill()
    process.join()
    recorded = [row["message_id"] for row in errors.recorded()]
    assert RATE <= len(recorded) < MESSAGES

    assert errors.publish() == 0
    published = Counter(each.attributes["original_message_id"] for each in errors.pulled())
    assert len(published) == MESSAGES
    assert all(published[each] == 1 for each in recorded)
    assert published.total() <= MESSAGES + RATE  # one batch at most
    assert len(errors.recorded()) == MESSAGES
