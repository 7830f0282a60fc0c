"""The connections of this process: one a table, however many threads append to it."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import partial

from pipeline.claims.contract import Column
from pipeline.claims.tables import TableName
from pipeline.sinks.bigquery.append.channel import open_channel
from pipeline.sinks.bigquery.append.limits import AppendLimits
from pipeline.sinks.bigquery.append.stall_log import StallLog
from pipeline.sinks.bigquery.append.stream import AppendStream


@dataclass(frozen=True)
class StreamKey:
    """What must be equal for two users to share a connection."""

    table: TableName
    columns: tuple[Column, ...]
    endpoint: str
    limits: AppendLimits


@dataclass
class SharedStream:
    """A connection, its log, and how many use them."""

    stream: AppendStream
    log: StallLog
    users: int = 0


@dataclass
class SharedStreams:
    """Connections by key, counted: the last user's release closes one."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _shared: dict[Hashable, SharedStream] = field(default_factory=dict)

    def acquire(self, key: StreamKey) -> SharedStream:
        """The connection of a key; nothing is opened before its first append."""
        with self._lock:
            if key not in self._shared:
                self._shared[key] = SharedStream(_stream(key), StallLog(str(key.table)))
            shared = self._shared[key]
            shared.users += 1
            return shared

    def release(self, key: StreamKey) -> None:
        """Give a connection back."""
        with self._lock:
            shared = self._shared[key]
            shared.users -= 1
            if shared.users:
                return
            del self._shared[key]
        shared.stream.close()


def default_stream(name: TableName) -> str:
    """The stream of a table that takes rows at once, by its name in the API."""
    project, dataset, table = name
    return f"projects/{project}/datasets/{dataset}/tables/{table}/streams/_default"


def _stream(key: StreamKey) -> AppendStream:
    return AppendStream(
        default_stream(key.table),
        key.columns,
        partial(open_channel, key.endpoint, key.limits.answer_timeout_seconds),
        key.limits,
    )


STREAMS = SharedStreams()
"""Those of this process."""
