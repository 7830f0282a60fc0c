"""The check of the files that a backfill reads."""

from claims_ops.doctor.finding import Check, Unknown, Verdict, failed, passed
from claims_ops.doctor.setup import Setup
from pipeline.launch import prepare
from pipeline.launch.options import ParameterError


def check(setup: Setup, pattern: str) -> Check:
    """Whether a file matches."""
    show = setup.shown("storage", ("storage", "ls", pattern))

    def ask() -> Verdict:
        try:
            prepare.source(setup.launch)
        except prepare.Unreadable as error:
            raise Unknown(str(error)) from None
        except ParameterError as error:
            folder = pattern.rpartition("/")[0]
            copy = setup.shown("storage", ("storage", "cp", "FILES", f"{folder}/"))
            return failed(str(error), copy)
        return passed("matches at least one file")

    return Check("files", pattern, ask, show)
