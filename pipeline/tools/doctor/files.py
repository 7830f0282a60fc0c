"""The check of the files that a backfill reads."""

from pipeline import launch
from pipeline.options import ParameterError
from pipeline.tools.doctor.finding import Check, Unknown, Verdict, failed, passed
from pipeline.tools.doctor.setup import Setup


def check(setup: Setup, pattern: str) -> Check:
    """Whether a file matches."""
    show = setup.shown("storage", ("storage", "ls", pattern))

    def ask() -> Verdict:
        try:
            launch.source(setup.launch)
        except launch.Unreadable as error:
            raise Unknown(str(error)) from None
        except ParameterError as error:
            folder = pattern.rpartition("/")[0]
            copy = setup.shown("storage", ("storage", "cp", "FILES", f"{folder}/"))
            return failed(str(error), copy)
        return passed("there are such files")

    return Check("files", pattern, ask, show)
