"""From the options of the command line to checked launch parameters."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import click

from pipeline.launch.nearest import nearest

SOURCES = ("input_subscription", "input_topic", "input_files")
_MAX_CHARACTERS = 1_000_000
TABLES = {"output_table": "claims", "error_table": "errors"}


class KeyValue(click.ParamType[tuple[str, str]]):
    """`key=value`; the value may hold anything."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, given = value.partition("=")
        if not (key and equals):
            self.fail(f"{value!r} must have the form key=value.", param, ctx)
        return key, given


def defaults(project: str, name: str, subscription: str) -> dict[str, str]:
    """Our own names of what the job reads and writes."""
    dataset = name.replace("-", "_")
    tables = {key: f"{project}:{dataset}.{table}" for key, table in TABLES.items()}
    return {"input_subscription": subscription, **tables}


def parameters(
    ours: Mapping[str, str], given: Iterable[tuple[str, str]], file: str | None
) -> dict[str, str]:
    """The launch parameters: those given, else those of the file, else ours.

    Raises:
        click.UsageError: one is unknown or wrong; names it.
    """
    given = list(given)
    for key, times in Counter(key for key, _ in given).items():
        if times > 1:
            raise click.UsageError(f"--parameter: {key} was passed more than once")
    chosen = _of_file(file) | dict(given)
    other_source = any(chosen.get(source) for source in SOURCES)
    complete = {key: value for key, value in ours.items() if not (other_source and key in SOURCES)}
    complete |= {key: value for key, value in chosen.items() if value}
    _check(complete)
    return complete


def _of_file(file: str | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        with open(file, encoding="utf-8-sig") as opened:
            text = opened.read(_MAX_CHARACTERS + 1)
        if len(text) > _MAX_CHARACTERS:
            raise click.UsageError(f"--parameters-file: {file} is larger than 1 MB")
        document = json.loads(text, object_pairs_hook=partial(_unique, file))
    except UnicodeDecodeError:
        raise click.UsageError(f"--parameters-file: {file} is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"--parameters-file: {file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise click.UsageError(
            f"--parameters-file: {file} must be a JSON object of parameter names and values"
        )
    return {key: _text(value) for key, value in document.items() if value is not None}


def _unique(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(
                f"--parameters-file: {file} cannot be used: it contains the key {name!r} more than"
                " once"
            )
    return dict(pairs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check(complete: Mapping[str, str]) -> None:
    # Imported here: it brings Beam, which takes seconds.
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.launch import options

    known = {parameter.name for parameter in options.PARAMETERS}
    for key in complete:
        if key not in known:
            meant = nearest(key, sorted(known))
            hint = f"; did you mean {meant}?" if meant else ""
            raise click.UsageError(f"--parameter: {key} is not a launch parameter{hint}")
    try:
        options.check(PipelineOptions([f"--{key}={value}" for key, value in complete.items()]))
    except options.ParameterError as error:
        raise click.UsageError(f"--parameter: {error}") from None
