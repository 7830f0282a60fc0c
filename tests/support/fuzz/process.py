"""The process that fuzzes: `python -m tests.support.fuzz.process TARGET FAULT [OPTION ...]`.

FAULT names one of `tests.support.fuzz.faults`, which is put into the pipeline first: with it the
fuzzer itself is tested. It is empty otherwise.
"""

import json.decoder
import json.scanner
import shlex
import sys
from pathlib import Path

import atheris

from tests.support.fuzz.fuzz import FOUND

# The reference reads with these, and they are imported already.
for module, name in (
    (json.decoder, "JSONArray"),
    (json.decoder, "JSONObject"),
    (json.decoder, "py_scanstring"),
    (json.scanner, "py_make_scanner"),
):
    atheris.instrument_func(getattr(module, name))

with atheris.instrument_imports(include=["pipeline"]):
    from tests.support.fuzz import faults, oracles
    from tests.support.fuzz.mutator import mutate


def main() -> None:
    """Fuzz until the time is over, or something is found; or merge corpora."""
    _, target, fault, *arguments = sys.argv
    if fault:
        faults.FAULTS[fault].start()

    def mutate_some(data: bytes, max_size: int, seed: int) -> bytes:
        return mutate(data, max_size, seed, atheris.Mutate)

    is_json = target in ("decode", "claims", "map")
    of_messages = {"custom_mutator": mutate_some} if is_json else {}

    def check(data: bytes) -> None:
        try:
            oracles.TARGETS[target](data)
        except Exception:
            # libFuzzer keeps it too, unless its alarm for hangs rings while Python ends.
            _kept(target, arguments).write_bytes(data)
            raise

    program = _program(target, fault)
    atheris.Setup([str(program), *arguments], check, **of_messages)
    atheris.Fuzz()


def _kept(target: str, arguments: list[str]) -> Path:
    prefixes = [each for each in arguments if each.startswith("-artifact_prefix=")]
    return Path(f"{prefixes[-1].partition('=')[2]}{target}-failure")


def _program(target: str, fault: str) -> Path:
    """What libFuzzer starts when it merges corpora."""
    program = shlex.join([sys.executable, "-m", "tests.support.fuzz.process", target, fault])
    path = FOUND / f"{target}.sh"
    path.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    path.chmod(0o700)
    return path


if __name__ == "__main__":
    main()
