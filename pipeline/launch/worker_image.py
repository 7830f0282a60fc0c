"""The container image of the workers: by default, the image of the launch itself."""

import os

from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions

VARIABLE = "CLAIMS_IMAGE"
"""Names the image that the launch runs in; the Dockerfile sets it."""


def default_to_own(options: PipelineOptions) -> None:
    """Give workers the image of the launch, unless the operator chose one.

    Dataflow's own default is Beam's image, on which this package is missing.
    """
    workers = options.view_as(WorkerOptions)
    workers.sdk_container_image = workers.sdk_container_image or os.environ.get(VARIABLE) or None
