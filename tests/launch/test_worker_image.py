"""Which image the workers of a launch get."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dataflow.internal.apiclient import get_container_image_from_options

from pipeline.launch import worker_image

OWN, CHOSEN = "registry.example/claims:1", "registry.example/other:2"


@pytest.mark.parametrize(
    "own, arguments, used",
    [
        (OWN, [], OWN),
        (OWN, [f"--sdk_container_image={CHOSEN}"], CHOSEN),
        (OWN, ["--sdk_container_image="], OWN),
        ("", [f"--sdk_container_image={CHOSEN}"], CHOSEN),
    ],
)
def test_workers_get_the_image_of_the_launch_unless_another_is_chosen(
    own: str, arguments: list[str], used: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(worker_image.VARIABLE, own)
    options = PipelineOptions(arguments)
    worker_image.default_to_own(options)
    assert get_container_image_from_options(options) == used


@pytest.mark.parametrize("own", [None, ""], ids=["outside an image", "an image without a name"])
def test_without_a_name_it_is_left_to_beam(own: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(worker_image.VARIABLE, raising=False)
    if own is not None:
        monkeypatch.setenv(worker_image.VARIABLE, own)
    untouched, options = PipelineOptions([]), PipelineOptions([])
    worker_image.default_to_own(options)
    expected = get_container_image_from_options(untouched)
    assert get_container_image_from_options(options) == expected
