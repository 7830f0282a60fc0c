"""Every signal by the name under which rules test it, and every file that they are looked up in."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.claims.signals import (
    amounts,
    claim,
    code_pairs,
    exclusions,
    medically_unlikely,
    provider_profile,
    quality,
    service_lines,
)
from pipeline.claims.signals.signal import Signal

SIGNALS: Mapping[str, Signal] = {
    **claim.SIGNALS,
    **service_lines.SIGNALS,
    **quality.SIGNALS,
    **exclusions.SIGNALS,
    **medically_unlikely.SIGNALS,
    **code_pairs.SIGNALS,
    **amounts.SIGNALS,
    **provider_profile.SIGNALS,
}


class Source(NamedTuple):
    """A reference file that signals are looked up in."""

    read: Callable[[Iterable[str]], Any]
    """Takes the lines of the file, and gives what has their number as `size`; raises
    `InvalidReference`."""
    max_bytes: int
    """Of the file, or of all files of a pattern; published ones have a quarter of it or less."""
    may_shrink: bool = False
    """Whether a new file may have fewer than half of the entries of the one before; a list of a
    publisher does not shrink so, but half of a file that is being written is."""


_MB = 1_000_000
SOURCES: Mapping[str, Source] = {
    "excluded_providers": Source(exclusions.Exclusions, 80 * _MB),
    "mue_table": Source(medically_unlikely.MedicallyUnlikely, 20 * _MB),
    "ptp_edits": Source(code_pairs.CodePairs, 600 * _MB),
    "provider_profile": Source(provider_profile.ProviderProfiles, 400 * _MB, True),
    "claim_percentiles": Source(amounts.ClaimPercentiles, 20 * _MB, True),
}
"""By the name of the launch parameter that names the file."""
