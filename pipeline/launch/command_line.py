"""The command line of a launch, read strictly.

Beam passes over what it does not know, with a warning: a job with a misspelt flag would run with
the default, and write rows. A value that it cannot read ends it with a page of usage.
"""

import argparse
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.launch.nearest import meant
from pipeline.launch.options import DESCRIPTION, EXAMPLES, PARAMETERS, ParameterError, add_argument
from pipeline.launch.outcome import OutputOptions

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
"""Dashes that text processors put in place of a hyphen."""
_SHOWN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}", re.ASCII)
_OF_THE_ENVIRONMENT = ("launcher_machine_type", "streaming_mode", "worker_utilization_hint")
"""Fields of a Flex Template's runtime environment that Beam has no option for: should a launcher
hand them on, they are not the operator's mistake."""


class _Parser(argparse.ArgumentParser):
    """Every option that the process accepts: our parameters and Beam's own."""

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False, conflict_handler="resolve")
        self.add_value_provider_argument = self.add_argument
        for options in _every(PipelineOptions):
            options._add_argparse_args(self)
        for name in _OF_THE_ENVIRONMENT:
            self.add_argument(f"--{name}")

    def error(self, message: str) -> NoReturn:
        named = re.match(r"argument --([\w-]+)[^:]*: (.*)", message, re.S)
        name, reason = named.groups() if named else ("command line", message)
        if "expected one argument" in reason or "expected at least" in reason:
            reason = "has no value"
        elif "ignored explicit argument" in reason:
            reason = "takes no value"
        raise ParameterError(name, reason)

    @property
    def flags(self) -> list[str]:
        """Every flag, without its dashes; our own come first."""
        ours = [parameter.name for parameter in PARAMETERS]
        known = (flag for action in self._actions for flag in action.option_strings)
        return list(dict.fromkeys([*ours, *(flag.lstrip("-") for flag in known)]))


def refuse_unknown(arguments: Sequence[str]) -> None:
    """Refuse flags that neither we nor Beam know, come twice, or lack their value or dashes.

    Raises:
        ParameterError: names the mistake, and the flag that was probably meant.
    """
    if "--" in arguments:
        raise ParameterError("--", "is not supported; leave it out")
    parser = _Parser()
    try:
        _, unknown = parser.parse_known_args(list(arguments))
    except TypeError as error:  # some options of Beam say no more of a wrong value
        raise ParameterError("Beam", f"an option has an invalid value: {error}") from None
    if unknown:
        raise _unknown(unknown[0], parser.flags)
    names = {parameter.name for parameter in PARAMETERS}
    given = (word.partition("=")[0].removeprefix("--") for word in arguments if word[:2] == "--")
    for name, times in Counter(given).items():
        if name in names and times > 1:
            raise ParameterError(name, "was passed more than once")


def _unknown(word: str, flags: Sequence[str]) -> ParameterError:
    name = word.partition("=")[0].lstrip(_DASHES)
    if not _SHOWN.fullmatch(name):  # a part of some value, which nobody else needs to see
        return ParameterError(
            "command line", "a value has no flag; quote values that contain spaces"
        )
    near = meant(name, flags, "--") or "; --help lists all parameters"
    if word.startswith("--"):
        return ParameterError(name, f"is not a parameter{near}")
    return ParameterError(name, f"must start with --{near}")


def _every(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield below
        yield from _every(below)


def help_text() -> str:
    """What `--help` prints: our parameters by section, and how to launch."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.main",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=_Help,
        add_help=False,
    )
    for section in dict.fromkeys(each.section for each in PARAMETERS if not each.hidden):
        group = parser.add_argument_group(section)
        for each in PARAMETERS:
            if each.section == section and not each.hidden:
                add_argument(group, each)
    OutputOptions._add_argparse_args(parser.add_argument_group("Output of the launch"))
    return parser.format_help()


class _Help(argparse.RawDescriptionHelpFormatter):
    """Breaks lines at blanks only, so that a value can be copied whole."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
