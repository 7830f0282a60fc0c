"""What was measured of a case, and what it says of the promises of the product."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from workshop.benchmarks.plan import Case, Plan
from workshop.benchmarks.run import Cost

_MAPS = {"flat JSON with a map": 15, "FHIR Claim with a map": 60}
"""CPU microseconds a claim that a map may add."""


class Spread(NamedTuple):
    """One figure, measured several times."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The spread of at least one measurement."""
        return cls(median(values), min(values), max(values))


class Result(NamedTuple):
    """All that was measured of one case, round by round."""

    case: Case
    costs: list[Cost]

    @property
    def cpu_us(self) -> list[float]:
        """CPU microseconds a claim."""
        return [
            1e6 * (cost.cpu_seconds - cost.fixed_cpu_seconds) / self._claims for cost in self.costs
        ]

    @property
    def wall_us(self) -> list[float]:
        """Wall microseconds a claim."""
        return [
            1e6 * (cost.wall_seconds - cost.fixed_wall_seconds) / self._claims
            for cost in self.costs
        ]

    @property
    def peak_mb(self) -> list[float]:
        """Peak resident memory of the largest process, in units of 10^6 bytes."""
        return [cost.peak_bytes / 1e6 for cost in self.costs]

    @property
    def _claims(self) -> int:
        return self.case.claims - self.case.small_claims


Results = dict[Case, Result]


class Verdict(NamedTuple):
    """One promise, and what was measured."""

    promise: str
    ratio: Spread
    """Of the ratios within one round each."""
    limit: float
    at_least: bool
    """Whether the limit is the least that will do, or the most."""

    @property
    def is_kept(self) -> bool:
        """Whether the median keeps the promise."""
        if self.at_least:
            return self.ratio.median >= self.limit
        return self.ratio.median <= self.limit


def verdicts(plan: Plan, results: Results) -> Iterator[Verdict]:
    """Every promise of which the plan measures enough."""
    stock, ours, floor = (results[c].cpu_us for c in (plan.stock, plan.ours, plan.floor))
    yield Verdict("whole pipeline: times less CPU a claim than stock", ratio(stock, ours), 25, True)
    sinks = [sink_cpu_us(plan, results, sink) for sink in (plan.stock_sink, plan.our_sink)]
    promise = "the sink alone: times less CPU a row than WriteToBigQuery"
    yield Verdict(promise, ratio(*sinks), 80, True)
    yield Verdict("whole pipeline: times the CPU of the floor", ratio(ours, floor), 3, False)
    promise = "all lists and profiles: times the CPU of ours without"
    yield Verdict(promise, ratio(results[plan.signals].cpu_us, ours), 2, False)
    if plan.signals_with_lines:
        without, signals = (results[case].cpu_us for case in plan.signals_with_lines)
        promise = "the same of claims with lines"
        yield Verdict(promise, ratio(signals, without), 2, False)
    fewer, most = plan.sizes[-2:]
    yield Verdict(
        f"peak memory of {most.claims:,} claims: times that of {fewer.claims:,}",
        ratio(results[most].peak_mb, results[fewer].peak_mb),
        1.1,
        False,
    )
    for case in plan.shapes:
        if case.shape in _MAPS:
            more = [a - b for a, b in zip(results[case].cpu_us, ours, strict=False)]
            promise = f"{case.shape}: what the map adds, us a claim"
            yield Verdict(promise, Spread.of(more), _MAPS[case.shape], False)
    if plan.processes:
        one, two = (results[case].cpu_us for case in plan.processes)
        promise = "CPU a claim with two worker processes: times that with one"
        yield Verdict(promise, ratio(two, one), 1.1, False)


def sink_cpu_us(plan: Plan, results: Results, sink: Case) -> list[float]:
    """CPU microseconds a row of a sink, without what the rows cost."""
    pairs = zip(results[sink].cpu_us, results[plan.rows].cpu_us, strict=True)
    return [cpu - before for cpu, before in pairs]


def ratio(dividends: list[float], divisors: list[float]) -> Spread:
    """The ratios round by round, since what slows the machine for a while slows both."""
    pairs = zip(dividends, divisors, strict=False)  # some cases have fewer rounds
    return Spread.of([dividend / divisor for dividend, divisor in pairs])
