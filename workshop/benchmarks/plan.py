"""What the benchmark measures, on how many claims, and how often."""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from workshop.benchmarks.shapes import LINES, SHAPES


class Case(NamedTuple):
    """One thing to measure."""

    contestant: str
    claims: int
    small_claims: int = 2_000
    """Claims of the small input, whose cost is subtracted."""
    processes: int = 0
    """Worker processes; 0: the worker runs in the runner's own process."""
    bad_share: float = 0.0
    shape: str = ""
    """A name of `SHAPES`, where the claims come in one."""


class Plan(NamedTuple):
    """Everything that is measured in one run of the benchmark, by the question that it answers."""

    name: str
    floor: Case
    stock: Case
    ours_inserts: Case
    ours: Case
    rows: Case
    """Ready-made rows and nothing else; the sinks are measured with these before them."""
    stock_sink: Case
    our_sink: Case
    streaming: tuple[Case, ...]
    """Messages as Pub/Sub delivers them, alone and with ours; the difference is what ours costs."""
    stages: tuple[Case, ...]
    """Ours up to this step, one step more each time."""
    sizes: tuple[Case, ...]
    """Ours with more and more claims; from the last but one to the last, memory must not grow."""
    processes: tuple[Case, ...]
    """Ours with one and with two worker processes."""
    bad_shares: tuple[Case, ...]
    """Ours with more and more bad claims."""
    signals: Case
    """Ours with every list and profile."""
    shapes: tuple[Case, ...]
    """Ours with claims in other shapes."""
    signals_with_lines: tuple[Case, ...]
    """Ours with claims of several lines: as they are, and with every list and profile."""
    rounds: int
    """How often each comparison is measured."""
    rounds_of_rest: int

    def cases(self) -> dict[Case, int]:
        """Every case, and how often it is measured."""
        rest = chain(self.sizes, self.processes, self.bad_shares)
        compared = (
            *(self.floor, self.stock, self.ours_inserts, self.ours),
            *(self.rows, self.stock_sink, self.our_sink),
            *self.streaming,
            *self.stages,
            self.signals,
            *self.shapes,
            *self.signals_with_lines,
        )
        return dict.fromkeys(rest, self.rounds_of_rest) | dict.fromkeys(compared, self.rounds)


def largest(cases: Iterable[Case]) -> dict[float, int]:
    """The most claims that a case needs, by share of bad ones."""
    counts: dict[float, int] = {}
    for case in cases:
        counts[case.bad_share] = max(case.claims, counts.get(case.bad_share, 0))
    return counts


OURS = "ours, STORAGE_WRITE_API"
SIGNALS = "ours, with lists and profiles"
STREAMING = ("ready messages of Pub/Sub", "ready messages of Pub/Sub, ours")
STAGES = ("read", "read, parse", "read, parse, validate", "read, parse, validate, enrich")

FULL = Plan(
    name="full",
    floor=Case("floor", 100_000),
    stock=Case("stock", 4_000, 500),
    ours_inserts=Case("ours, STREAMING_INSERTS", 4_000, 500),
    ours=Case(OURS, 100_000),
    rows=Case("ready rows", 100_000),
    stock_sink=Case("ready rows, WriteToBigQuery", 4_000, 500),
    our_sink=Case("ready rows, StorageWrite", 100_000),
    streaming=tuple(Case(name, 50_000) for name in STREAMING),
    stages=tuple(Case(stages, 50_000) for stages in STAGES),
    sizes=tuple(Case(OURS, claims) for claims in (10_000, 100_000, 1_000_000)),
    processes=tuple(Case(OURS, 200_000, processes=processes) for processes in (1, 2)),
    bad_shares=tuple(Case(OURS, 50_000, bad_share=share) for share in (0.0, 0.05, 1.0)),
    signals=Case(SIGNALS, 100_000),
    shapes=tuple(Case(name, 20_000, shape=name) for name in SHAPES),
    signals_with_lines=tuple(
        Case(name, 20_000, shape=LINES) for name in (LINES, f"{LINES}, lists and profiles")
    ),
    rounds=5,
    rounds_of_rest=1,
)
QUICK = Plan(
    name="quick",
    floor=Case("floor", 50_000),
    stock=Case("stock", 1_500, 250),
    ours_inserts=Case("ours, STREAMING_INSERTS", 1_500, 250),
    ours=Case(OURS, 25_000),
    rows=Case("ready rows", 50_000),
    stock_sink=Case("ready rows, WriteToBigQuery", 1_500, 250),
    our_sink=Case("ready rows, StorageWrite", 50_000),
    streaming=(),
    stages=(),
    sizes=(Case(OURS, 25_000), Case(OURS, 100_000)),
    processes=(),
    bad_shares=(),
    signals=Case(SIGNALS, 25_000),
    shapes=(),
    signals_with_lines=(),
    rounds=2,
    rounds_of_rest=1,
)
"""Within two minutes: fewer rounds, fewer claims, and only what most verdicts need."""
