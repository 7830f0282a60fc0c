#!/usr/bin/env python3
"""Stands in for Google's `python_template_launcher`, which runs the program of a Flex Template.

By its documented variables, FLEX_TEMPLATE_PYTHON_*: the program, and the options that go before
those of the launch. Left out: the report of the outcome to the Dataflow service.
"""

import os
import shlex
import sys

OPTIONS = {"REQUIREMENTS_FILE": "requirements_file", "SETUP_FILE": "setup_file"}


def variable(name: str) -> str:
    return os.environ.get(f"FLEX_TEMPLATE_PYTHON_{name}", "")


def main() -> None:
    program = variable("PY_FILE")
    if not os.path.isfile(program):
        sys.exit(f"launcher stand-in: FLEX_TEMPLATE_PYTHON_PY_FILE is no file: {program!r}")
    options = [f"--{option}={variable(name)}" for name, option in OPTIONS.items() if variable(name)]
    extra = [package for package in variable("EXTRA_PACKAGES").split(",") if package]
    options += [f"--extra_package={package}" for package in extra]
    options += shlex.split(variable("PY_OPTIONS"))
    os.execvp("python", ["python", program, *options, *sys.argv[1:]])


if __name__ == "__main__":
    main()
