"""Checks the reference files regularly and replaces what claims are judged by in one step.

One watch serves all threads of a process. It works on a thread of its own: claims are judged by
the old files until the new ones have been read and checked, and go on being judged by them where
the new ones are broken.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from random import uniform
from typing import Any, NamedTuple

from pipeline.claims.contract import Contract
from pipeline.claims.document_text import DocumentError
from pipeline.claims.documents import check_rules
from pipeline.claims.judgement import Basis
from pipeline.claims.rules import Rules
from pipeline.claims.signals.published_table import InvalidReference
from pipeline.claims.signals.table import SOURCES, Source
from pipeline.reference.files import FileUnusable, Part, Reading, look

RULES = "rules"
_MAX_RULES_BYTES = 2_000_000
_LOG_SECONDS = 60.0
"""Between two lines of the log."""
_MISSING_SECONDS = 60.0
"""Seconds after which the process looks again for a file that it never had."""

_log = logging.getLogger(__name__)


class ReferenceFiles(NamedTuple):
    """What a launch says of them; pickled with the graph."""

    paths: tuple[tuple[str, str], ...] = ()
    """Launch parameter, and the path or pattern it names."""
    refresh_minutes: float = 0
    """Minutes between two checks; 0 checks only once."""


class Loaded(NamedTuple):
    """A file that was read and checked."""

    content: Any
    """Rules, or a look-up."""
    version: str
    size: int


def read_rules(contract: Contract, lines: Iterable[str]) -> Rules:
    """The rules of a rules file, checked as at launch: raises as `check_rules`."""
    # A long line comes in parts, which may end within a letter.
    data = "".join(lines).encode("utf-8", "surrogateescape")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DocumentError("", "not UTF-8 text") from None
    return check_rules(text, contract)


def source_of(parameter: str, contract: Contract) -> Source:
    if parameter == RULES:
        return Source(partial(read_rules, contract), _MAX_RULES_BYTES, may_shrink=True)
    return SOURCES[parameter]


def load(parts: tuple[Part, ...], source: Source, before: Loaded | None = None) -> Loaded:
    """Read and check a file.

    Raises:
        FileUnusable: it cannot be read, or has far fewer entries than `before`.
        DocumentError, InvalidReference: what is wrong in it.
    """
    reading = Reading(parts, source.max_bytes)
    content = source.read(reading.lines())
    size = getattr(content, "size", 1)
    if size == 0 and not source.may_shrink:  # there are no profiles before there are claims
        raise InvalidReference("is empty")
    if before is not None and not source.may_shrink and 2 * size < before.size:
        raise InvalidReference(
            f"has fewer than half as many entries as the version in use: {size:,}, down from"
            f" {before.size:,}"
        )
    return Loaded(content, reading.version, size)


@dataclass
class _File:
    """One reference file: what of it is in use, and what was found last."""

    parameter: str
    path: str
    source: Source
    loaded: Loaded | None = None
    fault: str | None = None
    """Why the file as it is now is not in use."""
    seen: tuple[Part, ...] = ()
    """The file that was read last, valid or not; it is not reread."""

    def look(self) -> bool:
        """Read the file if it has changed. Returns whether a new version is in use."""
        try:
            parts = look(self.path)
            if parts == self.seen:
                return False
            loaded = load(parts, self.source, self.loaded)
        except FileUnusable as error:  # may be different in a moment
            self.fault, self.seen = str(error), ()
            return False
        except (DocumentError, InvalidReference) as error:
            self.fault, self.seen = str(error), parts
            return False
        except Exception as error:  # a file must not end the watch, whatever it holds
            self.fault, self.seen = f"unexpected {type(error).__name__}", parts
            return False
        self.fault, self.seen = None, parts
        changed = self.loaded is None or loaded.version != self.loaded.version
        self.loaded = loaded
        return changed


class Watch:
    """Watches the files of one job in one process."""

    def __init__(self, files: ReferenceFiles, rules: Rules, contract: Contract) -> None:
        """`rules` are those of the launch, for as long as there is no good rules file."""
        self._rules = rules
        self._files = [_File(name, path, source_of(name, contract)) for name, path in files.paths]
        self._seconds = 60 * files.refresh_minutes
        self._basis = Basis(rules)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._unlogged: dict[str, str] = {}
        self._logged = -_LOG_SECONDS
        self._stopped = threading.Event()

    def now(self) -> Basis:
        return self._basis

    def start(self) -> None:
        """Read all files, then watch them."""
        self.look()
        if self._seconds and self._files:
            threading.Thread(target=self._watch, name="reference-files", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def take_counts(self) -> Counter[str]:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def look(self) -> None:
        changed = False
        for file in self._files:
            if file.look():
                changed = True
                self._count(f"reference_read_{file.parameter}")
            if file.fault is not None:
                self._count(f"reference_unusable_{file.parameter}")
                kept = (
                    "the previous version stays in use" if file.loaded else "no version is in use"
                )
                self._unlogged[file.parameter] = f"{file.fault}; {kept}"
            else:
                self._unlogged.pop(file.parameter, None)
        if changed:
            self._basis = self._basis_now()
        if self._unlogged and time.monotonic() - self._logged >= _LOG_SECONDS:
            self._logged = time.monotonic()
            faults = ". ".join(f"{name}: {fault}" for name, fault in self._unlogged.items())
            _log.warning("reference files: %s", faults)
            self._unlogged.clear()

    def _watch(self) -> None:
        while not self._stopped.wait(self._pause()):
            self.look()

    def _pause(self) -> float:
        """Seconds until the next check, minus up to a fifth, so that workers do not all check at
        once."""
        missing = any(file.loaded is None for file in self._files)
        seconds = min(self._seconds, _MISSING_SECONDS) if missing else self._seconds
        return seconds * uniform(0.8, 1)  # noqa: S311 - not secret

    def _basis_now(self) -> Basis:
        loaded = {file.parameter: file.loaded for file in self._files if file.loaded}
        rules = loaded[RULES].content if RULES in loaded else self._rules
        lookups = {name: each.content for name, each in loaded.items() if name != RULES}
        versions = tuple(f"{name}={each.version}" for name, each in sorted(loaded.items()))
        return Basis(rules, lookups, versions)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


_lock = threading.Lock()
_watches: dict[tuple[ReferenceFiles, str, str], Watch] = {}


def shared(files: ReferenceFiles, rules: Rules, contract: Contract) -> Watch:
    """The watch of this process over these files, which is started once."""
    key = (files, rules.text, contract.text)
    with _lock:
        if key not in _watches:
            watch = Watch(files, rules, contract)
            watch.start()
            _watches[key] = watch
        return _watches[key]
