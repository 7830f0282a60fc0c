"""The launches whose graphs are on record: each kind of job that the parameters can ask for."""

from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2

from pipeline.claims import rules
from pipeline.launch import options, prepare

_SUBSCRIPTION = "--input_subscription=projects/my-project/subscriptions/claims"
_SOME_FILE = Path(rules.__file__).with_name("rules.json")  # only its being there matters
STREAMING = "streaming"
LAUNCHES = {
    STREAMING: [_SUBSCRIPTION],
    "streaming, STREAMING_INSERTS": [_SUBSCRIPTION, "--write_method=STREAMING_INSERTS"],
    "streaming, claim_map": [_SUBSCRIPTION, "--claim_map=fhir_r4_claim"],
    "backfill": [f"--input_files={_SOME_FILE}"],
}
"""Their arguments by the name that the record gives them; only streaming jobs can be updated."""

_COMMON = (
    "--runner=DataflowRunner",
    "--dry_run=True",  # Beam builds the job and calls nobody
    "--project=my-project",
    "--region=us-central1",
    "--job_name=claims",
    "--temp_location=gs://my-bucket/temp",
    "--output_table=my-project:claims.claims",
    "--error_table=my-project:claims.errors",
)


def pipeline_of(arguments: list[str]) -> beam_runner_api_pb2.Pipeline:
    """The pipeline that a launch with these arguments gives to Dataflow."""
    given = PipelineOptions([*_COMMON, *arguments])
    launch = options.check(given)
    result = prepare.pipeline(launch, prepare.settings(launch), given).run()
    return result.job.proto_pipeline
