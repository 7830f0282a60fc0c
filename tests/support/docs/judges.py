"""What each program says to a command of the docs: its own parser is asked, nothing is run.

A judge returns why a command is wrong, and nothing for one that is right.
"""

import glob
import re
import subprocess
from collections.abc import Callable, Sequence

import click
from apache_beam.options.pipeline_options import PipelineOptions
from click.testing import CliRunner

from claims_ops import main as cli
from pipeline.launch import command_line, options
from sandbox.demo.local_pipeline import Route
from tests.support.docs.pages import ROOT

Words = Sequence[str]

_MAKEFILE = (ROOT / "Makefile").read_text()
_TARGETS = set(re.findall(r"^([a-z-]+):.*##", _MAKEFILE, re.M))
_DEMO_ROUTE = Route(
    "", "projects/p-roject/subscriptions/claims", "p-roject.d.claims", "p-roject.d.e"
)


def claims(words: Words) -> str:
    """`claims ...`, by click and, for what it passes on, by the pipeline's own options."""
    try:
        # With its settings: a command keeps the names of `--help` that it is first asked with.
        with click.Context(cli.claims, **cli.claims.context_settings) as parent:
            if not words or words[0].startswith("-"):
                cli.claims.make_context("claims", list(words))
                return ""
            command = cli.claims.get_command(parent, words[0])
            if command is None:
                return f"claims has no command {words[0]}"
            if words[0] == "deploy":
                return deploy(words[1:])
            given = command.make_context(words[0], list(words[1:]), parent=parent).params
            if words[0] == "demo":
                return _options([*_DEMO_ROUTE.parameters(), *given["parameters"]])
    except click.exceptions.Exit:  # --help
        return ""
    except click.ClickException as error:
        return error.format_message()
    return ""


def _options(flags: Words) -> str:
    """Launch parameters and Beam's own options of one launch."""
    try:
        command_line.refuse_unknown(flags)
        options.check(PipelineOptions(list(flags)))
    except options.ParameterError as error:
        return str(error)
    return ""


def _flags(flags: Words) -> str:
    """Options alone, of which a launch needs more."""
    try:
        command_line.refuse_unknown(flags)
    except options.ParameterError as error:
        return str(error)
    return ""


def make(words: Words) -> str:
    """Targets and variables of the Makefile."""
    for word in words:
        name, assigned, value = word.partition("=")
        if not assigned:
            if not word.startswith("-") and word not in _TARGETS:
                return f"the Makefile has no target {word}"
        elif f"$({name})" not in _MAKEFILE and f"$(if $({name})" not in _MAKEFILE:
            return f"the Makefile reads no {name}"
        for path in value.split():
            if path.startswith("tests/") and not (ROOT / path).exists():
                return f"{path} does not exist"
    return ""


def python(words: Words) -> str:
    """The pipeline launched without the template, or a program that a test of its page runs."""
    if words and words[0] == "-c":
        compile(words[1], "docs", "exec")
        return ""
    if list(words[:2]) != ["-m", "pipeline.main"]:
        return "no test knows this use of python"
    return "" if "--help" in words else _options(words[2:])


def sed(words: Words) -> str:
    """Whether it finds what it is to replace."""
    script, *patterns = [word for word in words if word != "-i"]
    files = [path for pattern in patterns for path in glob.glob(pattern, root_dir=ROOT)]
    if not files:
        return f"no file {' '.join(patterns)}"
    texts = [(ROOT / path).read_text() for path in files]
    made = subprocess.run(
        ["sed", script, *files], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    return made.stderr or ("it replaces nothing" if made.stdout == "".join(texts) else "")


def bq(words: Words) -> str:
    """Only what is known to be right: its parser cannot be asked alone."""
    parameter = r"--parameter=\w+:(TIMESTAMP:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|INT64:\d+)"
    # What a scheduled query runs is within `$(...)`, and judged as a command of its own.
    scheduled = r"--display_name=[\w ]+|--schedule=every \d+ hours|value"
    known = list(words[:2]) == ["query", "--use_legacy_sql=false"] and all(
        re.fullmatch(f"{parameter}|{scheduled}", word) for word in words[2:]
    )
    return "" if known else "no test knows this use"


def terraform(words: Words) -> str:
    """In the folder of the example: whether its variables exist."""
    folder, command, *rest = words
    if folder != "-chdir=terraform/examples/basic":
        return "no test knows this folder"
    text = (ROOT / "terraform/examples/basic/main.tf").read_text()
    for word in rest:
        name = word.partition("=")[0]
        if word != "-var" and f'variable "{name}"' not in text:
            return f"the example has no variable {name}"
    return "" if command in ("init", "apply", "plan", "destroy") else f"no {command} is known"


def evaluated(words: Words) -> str:
    """`eval "$(...)"`: what is within is judged as a command of its own."""
    return "" if list(words) == ["value"] else "no test knows this use"


def anything(words: Words) -> str:
    """Programs of every shell, and those that a test of the page runs."""
    return ""


def program(words: Words) -> str:
    """A command that a script of ours starts: `.ci/with-docker make test`."""
    return complaint(words)


def deploy(words: Words) -> str:
    """`./deploy.sh`, in its dry run."""
    dry = ["deploy", "--dry-run", "--project=my-project"]
    ended = CliRunner().invoke(cli.claims, [*dry, *words])
    _, separator, passed_on = " ".join(words).partition(" -- ")
    return ended.output if ended.exit_code else _flags(passed_on.split()) if separator else ""


_JUDGES: dict[str, Callable[[Words], str]] = {
    "claims": claims,
    "make": make,
    "python": python,
    "./deploy.sh": deploy,
    ".ci/with-docker": program,
    "sed": sed,
    "bq": bq,
    "terraform": terraform,
    "eval": evaluated,
    "cd": anything,
    "curl": anything,
    "git": anything,
    "echo": anything,
    "printf": anything,
    "tr": anything,
    "openssl": anything,  # test_pseudonyms_page.py
    ".": anything,
}
APART = {"gcloud", "./build_template.sh"}
"""Programs that test_commands.py asks itself, in an environment without a network."""


def complaint(words: Words) -> str:
    """Why a command is wrong; empty for one that is right, and for a program of `APART`."""
    name, *rest = words
    if name in APART:
        return ""
    if name not in _JUDGES:
        return f"no test knows the program {name}: add it to tests/support/docs/judges.py"
    return _JUDGES[name](rest)
