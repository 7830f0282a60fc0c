"""Runs a program no longer than its starter lives: `lifeline.py PROGRAM [ARGUMENT ...]`.

Standard input is the lifeline: a pipe whose other end only the starter holds. The starter closes
it to end the program; the system closes it when the starter dies, of SIGKILL too. The program
then gets SIGTERM, and SIGKILL if it has not ended within `GRACE_SECONDS`.

A script of the standard library alone, run by its path: it starts in milliseconds.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5
_PR_SET_PDEATHSIG = 1


def _end_with_parent(parent: int) -> None:
    """Let Linux end the program should this script itself be killed (SIGKILL)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before the system knew
            os._exit(1)


def main(command: list[str]) -> int:
    """Exit status of the program; 128 + N when signal N ended it, as a shell says it."""
    parent = os.getpid()
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=lambda: _end_with_parent(parent)
    )
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())

    def follow() -> None:
        # Returns when the tether is cut. Unbuffered: Python aborts at its end if the lock of a
        # buffer is held then, which is when the program ends first.
        os.read(sys.stdin.fileno(), 1)
        program.terminate()
        try:
            program.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            program.kill()

    threading.Thread(target=follow, daemon=True).start()
    status = program.wait()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
