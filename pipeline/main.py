"""The entry point of the Flex Template: options -> tables -> graph -> run."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.api_core.exceptions import GoogleAPICallError

from pipeline import clients
from pipeline.launch import dataflow, options, prepare, worker_image

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def start(arguments: Sequence[str]) -> Any:
    """Launch the pipeline that the arguments ask for, and return Beam's result.

    Raises:
        ParameterError: a parameter is wrong; nothing was started.
    """
    options.refuse_misspelt(arguments)
    pipeline_options = PipelineOptions(list(arguments))
    asked = options.check(pipeline_options)
    clients.ensure_credentials()
    if dataflow.is_runner(pipeline_options):
        dataflow.prepare(pipeline_options, prepare.PIPELINE_VERSION)
    settings = prepare.settings(asked)
    worker_image.default_to_own(pipeline_options)
    pipeline = prepare.pipeline(asked, settings, pipeline_options)
    prepare.prepare_tables(asked, settings, pipeline_options.view_as(GoogleCloudOptions).project)
    return pipeline.run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Launch; wait for the end unless the job runs on Dataflow. Returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    logging.getLogger("apache_beam.runners.dataflow").setLevel(logging.INFO)  # names the job
    arguments = sys.argv[1:] if arguments is None else arguments
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(options.help_text())
        return 0
    try:
        result = start(arguments)
        if not hasattr(result, "job_id"):  # a Dataflow job runs on without us
            result.wait_until_finish()
    except options.ParameterError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    except GoogleAPICallError as error:
        sys.stderr.write(f"error: Google answers {error.code}: {error.message}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
