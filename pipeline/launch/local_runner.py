"""What `--runner=DirectRunner` means here: a runner of the Beam that is installed, in this process.

Beam's own DirectRunner downloads another runner, Prism, from the internet, and prefers it. A run on
one's own machine, maybe with health data, should not do that unless the user chooses it by name:
`--runner=PrismRunner`, with `--prism_location` for a program that is already here.
"""

from pathlib import Path

from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PrismRunnerOptions,
    StandardOptions,
)

from pipeline.launch.options import ParameterError

_SWITCHING = ("", "direct", "directrunner")
"""Names of the runner that may download; Beam also takes it when no runner is named."""
_PRISM = ("prism", "prismrunner")
FILES, PUBSUB = "FnApiRunner", "BundleBasedDirectRunner"
"""The runners that Beam's DirectRunner uses without a network."""


def stay_in_process(options: PipelineOptions, streaming: bool) -> None:
    """Replace Beam's DirectRunner; leave every other choice of runner alone.

    Raises:
        ParameterError: there is no Prism where the options say, or it cannot read the input.
    """
    location = options.view_as(PrismRunnerOptions).prism_location
    if location and "://" not in location and not Path(location).is_file():
        raise ParameterError("prism_location", f"no such file: {location}")
    standard = options.view_as(StandardOptions)
    runner = (standard.runner or "").rpartition(".")[2].lower()
    if streaming and runner in _PRISM:
        raise ParameterError("runner", "Prism can read only files; for Pub/Sub, pass DirectRunner")
    if runner in _SWITCHING:
        standard.runner = PUBSUB if streaming else FILES
