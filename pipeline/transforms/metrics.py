"""Every metric of the pipeline, and how steps count without paying for it on every claim.

docs/reference/metrics.md has the lists below as tables, written by `claims sync`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from weakref import WeakValueDictionary

from apache_beam.metrics import Metrics

NAMESPACE = "claims"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name; `{...}` stands for a name of a closed list."""

    name: str
    meaning: str
    is_distribution: bool = False
    """Whether single values are reported; otherwise it is a counter."""


def _distribution(name: str, meaning: str) -> Metric:
    return Metric(name, meaning, is_distribution=True)


STEP_METRICS = (
    Metric("received", "Messages that entered the pipeline."),
    Metric("accepted", "Claims that became rows for the claims table."),
    Metric("rejected_{stage}_{error_code}", "Messages rejected by a step, by cause."),
    Metric("skipped", "Documents that the claim map skipped because they hold no claim."),
    Metric("high_risk", "Claims with a score above the threshold."),
    Metric("rule_{id}", "Claims on which a risk rule fired."),
    Metric("quality_{id}", "Claims on which a quality rule fired."),
    Metric("reference_read_{file}", "Times a worker loaded a new version of a reference file."),
    Metric(
        "reference_unusable_{file}",
        "Checks that found a reference file missing, invalid or too large.",
    ),
    _distribution(
        "event_lag_ms",
        "Time from `ingest_ts`, when the claim system emitted a claim, to its score; one sample"
        " per bundle.",
    ),
)
SINK_METRICS = (
    Metric("rows_written", "Rows that BigQuery acknowledged."),
    Metric("bytes_written", "Encoded size of these rows in bytes."),
    Metric("append_requests", "Append requests sent, including retries."),
    Metric("append_retries_{reason}", "Append requests that were retried, by cause."),
    Metric(
        "schema_look_ups_failed", "Failed requests for a table's columns; each is retried later."
    ),
    _distribution("append_latency_ms", "Time from sending an append request to its response."),
    _distribution(
        "in_flight_bytes",
        "Bytes sent to the table and not yet acknowledged, sampled at each request.",
    ),
    _distribution(
        "end_to_end_latency_ms",
        "Time from publishing a message until all rows of its bundle are in BigQuery, sampled"
        " for the first message of each bundle.",
    ),
)
"""Metrics of each table's sink; Beam distinguishes the two by their steps."""
METRICS = (*STEP_METRICS, *SINK_METRICS)


class Tally(Counter[str]):
    """Counts and samples within a bundle by metric name; Beam gets them when the bundle ends.

    A Beam metric costs about as much as a whole step of the pipeline, so that none is touched
    per claim. And while a step works on a batch, Beam takes what it is told for another step's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._samples: list[tuple[str, int]] = []
        self._live = _live
        if self._live:
            self._live.add(self)

    @property
    def is_live(self) -> bool:
        """Whether somebody watches the counts while a bundle is open."""
        return self._live is not None

    def sample(self, name: str, value: int) -> None:
        """Report a value of a distribution: once a bundle or a request, never once a claim."""
        self._samples.append((name, value))

    def flush(self) -> None:
        """Hand everything to Beam, in `finish_bundle`, and start again from zero."""
        for name, by in self.items():
            Metrics.counter(NAMESPACE, name).inc(by)
        for name, value in self._samples:
            Metrics.distribution(NAMESPACE, name).update(value)
        if self._live:
            self._live.take(self)
        self.clear()
        self._samples.clear()


class LiveCounts:
    """What the steps that run in this process have counted so far, in open bundles too.

    Beam has a count when its bundle ends, and a bundle of a file may hold 100,000 claims.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._open: WeakValueDictionary[int, Tally] = WeakValueDictionary()
        self._ended: Counter[str] = Counter()

    def add(self, tally: Tally) -> None:
        """Count what this one counts from now on."""
        with self._turn:
            self._open[id(tally)] = tally

    def take(self, tally: Tally) -> None:
        """Keep the counts of a bundle that ends, and empty the tally."""
        with self._turn:
            self._ended.update(tally)
            tally.clear()

    def now(self) -> Counter[str]:
        with self._turn:
            counts = Counter(self._ended)
            for tally in list(self._open.values()):
                counts.update(dict.copy(tally))
            return counts


_live: LiveCounts | None = None


@contextmanager
def live_counts() -> Iterator[LiveCounts]:
    """The counts of steps that are set up in this process within the block."""
    global _live
    _live = LiveCounts()
    try:
        yield _live
    finally:
        _live = None
