"""Fuzzes one target, or all in turn, guided by the coverage of `pipeline` and of the reference.

    python -m tests.support.fuzz.fuzz [--seconds 10] [--keep] [decode|claims|replay|map|csv|x12 ...]

Ends with exit code 1 at the first input that breaks what must hold, or takes longer than
`LONGEST_SECONDS`, and leaves that input in `build/fuzz`. `--keep` puts inputs that reach something
new into `tests/cases/fuzz`, of as few and as short ones as reach the same.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests/cases/fuzz"
FOUND = ROOT / "build/fuzz"
TARGETS = ("decode", "claims", "replay", "map", "csv", "x12")
LONGEST_SECONDS = 5
LONGEST_BYTES = 4_096
LONGEST_KEPT = 1_024
_GRACE_SECONDS = 600
"""For the start, and for a corpus on a machine with much else to do; libFuzzer itself ends an input
that hangs."""


class Run(NamedTuple):
    """What a run of a target gave."""

    target: str
    exit_code: int
    log: str

    @property
    def executions(self) -> int:
        """How many inputs were tried."""
        return self._figure(r"^#(\d+)\s")

    @property
    def coverage(self) -> int:
        """Branches of the code that were reached."""
        return self._figure(r"\bcov: (\d+)")

    def _figure(self, pattern: str) -> int:
        return max(map(int, re.findall(pattern, self.log, re.MULTILINE)), default=0)


def is_here() -> bool:
    """Whether this platform has the fuzzer."""
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def run(target: str, *arguments: str | Path, seconds: int = 0, fault: str = "") -> Run:
    """Run a target in a process of its own, with arguments of libFuzzer."""
    FOUND.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "tests.support.fuzz.process", target, fault]
    limits = [
        *(f"-max_total_time={seconds}", f"-timeout={LONGEST_SECONDS}", "-rss_limit_mb=2048"),
        *(f"-max_len={LONGEST_BYTES}", f"-artifact_prefix={FOUND}/{target}-"),
    ]
    ended = subprocess.run(
        [*program, *limits, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + _GRACE_SECONDS,
    )
    return Run(target, ended.returncode, ended.stdout.decode(errors="replace"))


def fuzz(target: str, seconds: int, keep: bool = False, fault: str = "") -> Run:
    """Fuzz for some seconds, from the committed corpus on."""
    with tempfile.TemporaryDirectory() as new:
        done = run(target, new, CORPUS / target, seconds=seconds, fault=fault)
        if keep and not done.exit_code:
            _keep(target, Path(new))
    return done


def _keep(target: str, new: Path) -> None:
    """Make the corpus anew from itself and new inputs."""
    old = CORPUS / target
    with tempfile.TemporaryDirectory() as folder:
        merged = run(target, "-merge=1", f"-max_len={LONGEST_KEPT}", folder, old, new)
        if merged.exit_code:
            raise SystemExit(merged.log[-2_000:])
        old.mkdir(parents=True, exist_ok=True)
        for path in old.iterdir():
            path.unlink()
        for path in Path(folder).iterdir():
            (old / path.name).write_bytes(path.read_bytes())


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Fuzz the decoder, the steps and the replay.")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[])
    parser.add_argument("--seconds", type=int, default=30, help="in all")
    parser.add_argument("--keep", action="store_true", help="add what is new to the corpus")
    given = parser.parse_args()
    if not is_here():
        print("atheris, the fuzzer, has no wheel for this platform: x86_64 Linux has one.")
        return 1
    targets = given.targets or TARGETS
    exit_code = 0
    for target in targets:
        done = fuzz(target, max(1, given.seconds // len(targets)), given.keep)
        if done.exit_code:
            print(done.log[-4_000:])
            exit_code = 1
        print(
            f"{target}: {done.executions:,} executions, {done.coverage:,} branches,"
            f" {'FAILED, the input is in build/fuzz' if done.exit_code else 'no crash, no hang'}",
            flush=True,
        )
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
