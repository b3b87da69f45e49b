"""The command `afterrun`: the same parts as the service, by hand."""

import codecs
import logging
import sys
from typing import Annotated

import typer

from cli import apps, output
from cli.group import Commands

app = apps.made(
    Commands,
    help="What happens after a dbt Cloud run: try it, connect it, and see what it did and why.",
    epilog="Exit codes: 0 done; 1 looked, and something is not right; 2 wrong command line; "
    "3 wrong setting or file; 4 refused; 5 no answer, try again later.",
)


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    # what the service's parts log is for the service; `work` begins to log by itself
    logging.getLogger("afterrun").setLevel(logging.CRITICAL + 1)
    if version:
        from importlib.metadata import version as installed

        output.say(f"afterrun {installed('afterrun')}")
    elif ctx.invoked_subcommand is None:
        output.raw(ctx.get_help())


PLAIN = {"✓": "+", "✗": "-", "→": ">", "·": "|", "…": "~", "█": "#"}
"""What stands for our own marks where the terminal's encoding has no such character."""


def main() -> None:
    """The entry point; ends the process with 0 or one of `Exit`."""
    # a terminal that lacks a character shows another one instead of a traceback
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="plain")  # type: ignore[union-attr]
    app(prog_name="afterrun")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What is printed in place of characters that cannot be, as many as they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(PLAIN.get(each, "?") for each in lost), error.end


if __name__ == "__main__":
    main()
