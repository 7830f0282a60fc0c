"""Publishes messages again, a batch at a time, and has each batch recorded before the next."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from claims_ops.replay.message import MAX_REQUEST_MESSAGES, ROOM_BYTES, Replay, replay_of
from claims_ops.replay.record import ReplayRecord
from claims_ops.shared.interruption import shielded

GIVE_UP_SECONDS = 30.0
"""How long a batch is tried again that Pub/Sub does not take."""
REFUSED_SHOWN = 20
"""Refused messages that are named."""


class Republication:
    """Sends rows of the error table to a topic; counts what became of them."""

    def __init__(
        self, topic: str, record: ReplayRecord, rate: float, keep: Callable[[], None]
    ) -> None:
        """`rate` is messages a second; `keep` is called before each request, and may raise.

        Raises:
            click.ClickException: there are no credentials.
        """
        from google.auth.credentials import AnonymousCredentials
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PublisherClient

        self._topic = topic
        self._record = record
        self._rate = rate
        self._keep = keep
        try:
            # The client below the usual one: that one takes attributes as keywords, beside
            # its own, and tells the ids of a batch one by one.
            self._client = PublisherClient(
                credentials=AnonymousCredentials() if "PUBSUB_EMULATOR_HOST" in os.environ else None
            )
        except GoogleAuthError as error:
            raise self._failure(error) from None
        self.outcomes: Counter[str] = Counter()
        """Messages by outcome; `ready` are those that were published and recorded."""
        self.refused: list[str] = []
        """The ids of the first messages that Pub/Sub refused, each for itself."""

    def send(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[int]:
        """Publish the messages; yields how many rows are done, now and then.

        Raises:
            click.ClickException: Pub/Sub or BigQuery does not take a batch.
        """
        began = time.monotonic()
        for batch in self._batches(rows):
            with shielded():
                self._send(batch)
            yield self.outcomes.total()
            time.sleep(max(0.0, began + self.outcomes["ready"] / self._rate - time.monotonic()))

    def _batches(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Replay]]:
        most = max(1, min(MAX_REQUEST_MESSAGES, int(self._rate)))
        batch: list[Replay] = []
        size = 0
        for row in rows:
            replay = replay_of(row)
            if isinstance(replay, str):
                self.outcomes[replay] += 1
                continue
            if batch and (len(batch) >= most or size + replay.size > ROOM_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(replay)
            size += replay.size
        if batch:
            yield batch

    def _send(self, batch: list[Replay]) -> None:
        published: list[tuple[Replay, str]] = []
        try:
            self._publish(batch, published)
        finally:
            self._settle(published)

    def _publish(self, batch: list[Replay], published: list[tuple[Replay, str]]) -> None:
        """Publish a batch; of one that Pub/Sub refuses the halves, down to what it refuses.

        The message of a refusal may quote the data, and is not shown.
        """
        from google.api_core.exceptions import GoogleAPIError, InvalidArgument
        from google.api_core.retry import Retry
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PubsubMessage

        self._keep()  # each time: a thousand refusals may take longer than the turn lasts
        messages = [PubsubMessage(data=one.data, attributes=one.attributes) for one in batch]
        try:
            answer = self._client.publish(
                topic=self._topic,
                messages=messages,
                retry=Retry(initial=0.1, maximum=2.0, timeout=GIVE_UP_SECONDS),
                timeout=GIVE_UP_SECONDS,
            )
        except InvalidArgument:
            if len(batch) == 1:
                self.outcomes["refused"] += 1
                self.refused += [batch[0].message_id] * (len(self.refused) < REFUSED_SHOWN)
                return
            half = len(batch) // 2
            self._publish(batch[:half], published)
            self._publish(batch[half:], published)
        except (GoogleAPIError, GoogleAuthError) as error:
            raise self._failure(error) from None
        else:
            published += zip(batch, answer.message_ids, strict=True)

    def _settle(self, published: list[tuple[Replay, str]]) -> None:
        if not published:
            return
        replays, new_ids = zip(*published, strict=True)
        try:
            self._record.add(replays, new_ids, datetime.now(UTC))
        except click.ClickException as failure:
            count = len(replays)
            were, them = (
                ("1 message was", "it") if count == 1 else (f"{count:,} messages were", "them")
            )
            raise click.ClickException(
                f"{were} published but not recorded, so another replay would publish {them} again:"
                f" {failure.message}"
            ) from None
        self.outcomes["ready"] += len(replays)

    def _failure(self, error: Exception) -> click.ClickException:
        from pipeline.clients import reason_of

        return click.ClickException(f"cannot publish to {self._topic}: {reason_of(error)}")
