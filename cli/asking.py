"""Asking before something is done that cannot be taken back."""

import sys

import typer

from cli import output
from cli.exits import Exit


def go_on(question: str) -> None:
    """Return if a person agrees; else end, with nothing done. With `--yes` nobody is asked."""
    output.beside().print(f"{question} [y/N] ", end="", markup=False)
    answer = sys.stdin.readline()
    if not answer:
        output.beside().print()
        output.failed("nobody is there to ask; say --yes if it is to be done")
        raise typer.Exit(Exit.USAGE)
    if answer.strip().casefold() not in ("y", "yes"):
        output.hint("Nothing was done.")
        raise typer.Exit(Exit.FOUND)
