"""The command line of a Python child of ours."""

import sys


def module(name: str, *arguments: str) -> list[str]:
    """`python -m name arguments`, which looks for no module in the folder that it happens to be started in."""
    return [sys.executable, "-P", "-m", name, *arguments]


def riverrun(*arguments: str) -> list[str]:
    """`riverrun arguments`, by the interpreter that runs now."""
    return module("app.cli.main", *arguments)
