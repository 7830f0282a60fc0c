"""The entry point of the Flex Template: options -> tables -> graph -> run."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.api_core.exceptions import GoogleAPICallError

from pipeline import clients, loopback
from pipeline.launch import command_line, dataflow, local_runner, options, prepare, worker_image

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def start(arguments: Sequence[str]) -> Any:
    """Launch the pipeline that the arguments describe, and return Beam's result.

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
    return pipeline.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Launch; wait for the end unless the job runs on Dataflow. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    logging.getLogger("apache_beam.runners.dataflow").setLevel(logging.INFO)  # names the job
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(command_line.help_text())
        return 0
    try:
        result = start(arguments)
        if not hasattr(result, "job_id"):  # a Dataflow job runs on without us
            result.wait_until_finish()
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
    return 0


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether it is Ctrl-C, which Beam wraps when it comes while a step of ours runs."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


if __name__ == "__main__":
    sys.exit(main())
