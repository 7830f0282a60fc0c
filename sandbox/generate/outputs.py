"""Where generated messages go: lines of a file or of stdout, or a Pub/Sub topic."""

import gzip
import sys
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Protocol, cast

import click

GIVE_UP_S = 30.0
"""Seconds after which a message that Pub/Sub does not take is an error."""
ATTRIBUTES = {"source": "claims-generate"}
"""On every message. A message without data needs one, or Pub/Sub refuses it."""


class Output(Protocol):
    """Takes messages."""

    def write(self, data: bytes) -> None:
        """Take one message; it may be sent later, together with others."""

    def flush(self) -> None:
        """Send what was taken, as far as that does not happen by itself."""


class _Lines:
    """Newline-delimited messages."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        # In JSON a line break between tokens is as good as a blank.
        self._stream.write(data.replace(b"\n", b" ") + b"\n")

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def lines(path: str) -> Iterator[Output]:
    """One message a line into a file, compressed if its name ends in `.gz`; `-` is stdout.

    Raises:
        OSError: the file cannot be written.
    """
    with ExitStack() as opened:
        if path == "-":
            stream: IO[bytes] = sys.stdout.buffer
        else:
            stream = opened.enter_context(open(path, "wb", buffering=1 << 20))
        if path.endswith(".gz"):
            # Neither name nor time in the header: equal claims give equal files.
            zipped = gzip.GzipFile("", "wb", compresslevel=6, fileobj=stream, mtime=0)
            stream = opened.enter_context(cast(IO[bytes], zipped))
        yield _Lines(stream)
        stream.flush()


class _Topic:
    """Publishes in batches, at most `IN_FLIGHT` messages ahead of Pub/Sub."""

    IN_FLIGHT = 10_000

    def __init__(self, topic: str) -> None:
        # Imported here, because it takes longer than most runs to a file.
        from google.api_core.retry import Retry
        from google.cloud.pubsub_v1 import PublisherClient, types

        self._topic = topic
        self._pending: set[Future[str]] = set()
        self._failure: BaseException | None = None
        self._client: Any = PublisherClient(
            batch_settings=types.BatchSettings(
                max_messages=1000, max_bytes=1_000_000, max_latency=0.05
            ),
            publisher_options=types.PublisherOptions(
                flow_control=types.PublishFlowControl(
                    message_limit=self.IN_FLIGHT,
                    byte_limit=64_000_000,
                    limit_exceeded_behavior=types.LimitExceededBehavior.BLOCK,
                ),
                retry=Retry(initial=0.1, maximum=2.0, timeout=GIVE_UP_S),
                timeout=GIVE_UP_S,
            ),
        )

    def write(self, data: bytes) -> None:
        self._raise_failure()
        future = self._client.publish(self._topic, data, **ATTRIBUTES)
        self._pending.add(future)
        future.add_done_callback(self._settle)

    def flush(self) -> None:
        """Nothing to do: a batch leaves after 0.05 s at the latest."""

    def finish(self) -> None:
        """Wait until Pub/Sub has taken every message."""
        self._client.stop()
        wait(set(self._pending))
        self._raise_failure()

    def _settle(self, future: Future[str]) -> None:
        self._failure = self._failure or future.exception()
        self._pending.discard(future)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            from pipeline.clients import reason_of

            raise click.ClickException(
                f"cannot publish to {self._topic}: {reason_of(self._failure)}"
            )


@contextmanager
def topic(name: str) -> Iterator[Output]:
    """Messages into a Pub/Sub topic, `projects/P/topics/T`; all are there when the block ends.

    The emulator is used where `PUBSUB_EMULATOR_HOST` names one.

    Raises:
        click.ClickException: Pub/Sub does not take a message.
    """
    from google.auth.exceptions import GoogleAuthError

    from pipeline.clients import reason_of

    try:
        publisher = _Topic(name)
    except GoogleAuthError as error:
        raise click.ClickException(f"cannot publish to {name}: {reason_of(error)}") from None
    try:
        yield publisher
    except KeyboardInterrupt:
        publisher.finish()  # what counts as sent is sent; a second Ctrl-C does not wait
        raise
    publisher.finish()
