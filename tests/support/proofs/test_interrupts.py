"""Jobs that tests start can be interrupted, however the tests were started."""

import signal
import subprocess
import sys

ASKED = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"


def test_a_program_of_a_test_takes_ctrl_c():
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    asked = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True)
    assert asked.stdout == "True\n"
