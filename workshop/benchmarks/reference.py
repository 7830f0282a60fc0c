"""Reference files for the benchmark: every list and profile that signals are looked up in."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.claims.signals import provider_profile
from pipeline.reference.watch import ReferenceFiles
from sandbox.synthetic.population import PROVIDERS
from workshop.benchmarks.detection.rings import LEIE_TITLES, MUE_TITLES, PTP_TITLES

_EXCLUSIONS = 80_000
_UNITS = 12_000
_PAIRS = 200_000
"""A tenth of what CMS publishes: a look-up costs the same, and reading them does not count."""


def write(directory: Path) -> None:
    """Write the files, each by the name of its launch parameter."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, lines in _FILES.items():
        with open(directory / name, "w", encoding="utf-8") as file:
            file.writelines(lines())


def files(directory: Path) -> ReferenceFiles:
    """What a launch with them says."""
    return ReferenceFiles(tuple((name, str(directory / name)) for name in _FILES), 10)


def _exclusions() -> Iterator[str]:
    yield LEIE_TITLES
    for number in range(_EXCLUSIONS):
        yield f"{',' * 7}2{number:09d}{',' * 6}1128a1,20200101,00000000,00000000,\n"


def _units() -> Iterator[str]:
    yield MUE_TITLES
    for number in range(_UNITS):
        yield f"{90_000 + number % 10_000:05d},{2 + number % 3},3 Date of Service Edit,Made up\n"


def _pairs() -> Iterator[str]:
    yield PTP_TITLES
    for one in range(2_000):
        for two in range(_PAIRS // 2_000):
            pair = f"{98_000 + one:05d}\t{(one * 7 + two * 13) % 99_999:05d}"
            yield f"{pair}\t \t20200101\t*\t1\tMade up\n"


def _profiles() -> Iterator[str]:
    yield ",".join(provider_profile.COLUMNS) + "\n"
    for number in range(1, PROVIDERS + 1):
        standing = number / (PROVIDERS + 1)
        measures: Sequence[float] = [standing * 1_000] * len(provider_profile.MEASURES)
        percentiles = [standing] * len(provider_profile.PERCENTILES)
        values = ",".join(map(str, [*measures, *percentiles, 0.01]))
        yield f"PRV{number:05d},2026-11-22,{values}\n"


def _percentiles() -> Iterator[str]:
    yield "claim_type,provider_specialty,provider_region,percentiles\n"
    yield f",,,{' '.join(str(100 * step) for step in range(101))}\n"


_FILES = {
    "excluded_providers": _exclusions,
    "mue_table": _units,
    "ptp_edits": _pairs,
    "provider_profile": _profiles,
    "claim_percentiles": _percentiles,
}
