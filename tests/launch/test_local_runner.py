"""Which runner a launch on this machine gets."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipeline.launch.local_runner import FILES, PUBSUB, stay_in_process
from pipeline.launch.options import ParameterError


@pytest.mark.parametrize("streaming, expected", [(False, FILES), (True, PUBSUB)])
@pytest.mark.parametrize(
    "named",
    [None, "", "DirectRunner", "directrunner", "apache_beam.runners.direct.DirectRunner", "direct"],
)
def test_the_direct_runner_is_one_that_downloads_nothing(
    named: str | None, streaming: bool, expected: str
):
    options = PipelineOptions([] if named is None else [f"--runner={named}"])
    stay_in_process(options, streaming)
    assert options.view_as(StandardOptions).runner == expected


@pytest.mark.parametrize(
    "named",
    ["PrismRunner", "SwitchingDirectRunner", "DataflowRunner", "PortableRunner", "FnApiRunner"],
)
def test_a_runner_chosen_by_name_stays(named: str):
    options = PipelineOptions([f"--runner={named}"])
    stay_in_process(options, streaming=False)
    assert options.view_as(StandardOptions).runner == named


@pytest.mark.parametrize(
    "named", ["PrismRunner", "prism", "apache_beam.runners.portability.prism_runner.PrismRunner"]
)
def test_prism_reads_no_pubsub(named: str):
    with pytest.raises(ParameterError, match=r"^runner: Prism can read only files"):
        stay_in_process(PipelineOptions([f"--runner={named}"]), streaming=True)
