"""A sink that keeps its rows in this process, for graphs that run in it."""

import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam

from pipeline.claims.message import Message
from pipeline.claims.rejection import Rejection

_kept: dict[str, list[Any]] = {}
_turn = threading.Lock()

Refusal = Callable[[Message, dict[str, Any]], Rejection | None]


def accept_all(message: Message, row: dict[str, Any]) -> Rejection | None:
    return None


class _KeepFn(beam.DoFn):
    def __init__(self, name: str, refuse: Refusal) -> None:
        self._name, self._refuse = name, refuse

    def process(self, element: tuple[Message, dict[str, Any]]) -> Iterable[Any]:
        if rejection := self._refuse(*element):
            return ((element[0], rejection),)
        with _turn:
            _kept[self._name].append(element)
        return ()


class MemoryTable(beam.PTransform):
    """(Message, row) -> (Message, Rejection) of the rows that `refuse` refuses."""

    def __init__(self, refuse: Refusal = accept_all) -> None:
        super().__init__()
        self._name, self._refuse = uuid.uuid4().hex, refuse
        _kept[self._name] = []

    def expand(self, rows: beam.PCollection) -> Any:
        return rows | "Keep" >> beam.ParDo(_KeepFn(self._name, self._refuse))

    @property
    def elements(self) -> list[tuple[Message, dict[str, Any]]]:
        """What was written, with its messages."""
        return _kept[self._name]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for _, row in self.elements]
