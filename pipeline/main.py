"""The entry point of the Flex Template: options -> tables -> graph -> run."""

import logging
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

try:
    import apache_beam as beam
except ModuleNotFoundError as missing:
    if __name__ != "__main__" or missing.name != "apache_beam":
        raise
    sys.exit("claims: apache_beam is not installed here; run: . .venv/bin/activate")
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.api_core.exceptions import GoogleAPICallError

from pipeline import clients, loopback
from pipeline.launch import (
    command_line,
    dataflow,
    local_runner,
    options,
    outcome,
    prepare,
    worker_image,
)
from pipeline.launch.progress import Progress
from pipeline.transforms.metrics import live_counts

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


class Prepared(NamedTuple):
    """A pipeline that can run: its tables are there."""

    pipeline: beam.Pipeline
    options: PipelineOptions
    launch: options.Launch


def prepared(arguments: Sequence[str]) -> Prepared:
    """The pipeline that the arguments describe.

    Raises:
        ParameterError: a parameter is wrong; nothing was started.
    """
    command_line.refuse_unknown(arguments)
    pipeline_options = PipelineOptions(list(arguments))
    launch = options.check(pipeline_options)
    loopback.bypass_proxies()
    local_runner.stay_in_process(pipeline_options, launch.streaming)
    clients.ensure_credentials()
    if dataflow.is_runner(pipeline_options):
        dataflow.prepare(pipeline_options, prepare.PIPELINE_VERSION)
    settings = prepare.settings(launch)
    worker_image.default_to_own(pipeline_options)
    pipeline = prepare.pipeline(launch, settings, pipeline_options)
    project = pipeline_options.view_as(GoogleCloudOptions).project
    done = prepare.prepare_tables(launch, settings, project)
    prepare.wait_for_write_path(launch, settings, done)
    return Prepared(pipeline, pipeline_options, launch)


def run(job: Prepared, started: float) -> int:
    """Start the job; wait for its end and print what it did, unless it runs on Dataflow.

    Returns the exit code: EXIT_FAILED if rows of a backfill are missing.
    """
    as_json = job.options.view_as(outcome.OutputOptions).json
    if dataflow.is_runner(job.options):
        result = _submitted(job.pipeline)
        if result.has_job:  # not where it was only staged, as a template's launcher does
            where = outcome.on_dataflow(result.job_id(), job.options, job.launch, as_json=as_json)
            sys.stdout.write(f"{where}\n")
        return 0
    if job.launch.streaming:
        job.pipeline.run().wait_until_finish()
        return 0
    with live_counts() as live:
        with Progress(live, started):
            result = job.pipeline.run()
            result.wait_until_finish()
        # Prism may lose a count, and workers elsewhere count nothing here: neither has too many.
        counts = live.now() | outcome.beam_counts(result)
    ended = outcome.Outcome.of(counts, job.launch, time.monotonic() - started)
    text = outcome.json_of if as_json else outcome.text_of
    sys.stdout.write(f"{text(ended, job.launch)}\n")
    return EXIT_FAILED if ended.missing else 0


def _submitted(pipeline: beam.Pipeline) -> Any:
    """Submit the job to Dataflow.

    Raises:
        ParameterError: Beam refuses one of its own options; some of them it reads only now.
        GoogleAPICallError: Dataflow refuses.
    """
    try:
        return pipeline.run()
    except GoogleAPICallError:
        raise
    except Exception as error:
        if _is_interrupt(error):
            raise
        reason = f"the job could not be submitted ({type(error).__name__}: {error})"
        raise options.ParameterError("Beam", reason) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Launch; wait for the end unless the job runs on Dataflow. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    logging.getLogger("apache_beam.runners.dataflow").setLevel(logging.INFO)  # names the job
    arguments = sys.argv[1:] if arguments is None else arguments
    started = time.monotonic()
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(command_line.help_text())
        return 0
    try:
        return run(prepared(arguments), started)
    except options.ParameterError as error:
        sys.stderr.write(f"claims: {error}\n")
        return EXIT_USAGE
    except GoogleAPICallError as error:
        sys.stderr.write(f"claims: Google returned {error.code}: {error.message}\n")
        return EXIT_FAILED
    except (KeyboardInterrupt, RuntimeError) as error:
        if _is_interrupt(error):
            return EXIT_INTERRUPTED
        raise


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, which Beam wraps when it comes while a step of ours runs."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


if __name__ == "__main__":
    sys.exit(main())
