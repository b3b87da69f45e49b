"""The group of all commands: each loaded when it is asked for, its failures said in one line."""

import importlib
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from cli import output
from cli.exits import Exit
from shared.errors import Failure, Mistake, NotSet, TemporaryFailure

PANELS: Mapping[str, tuple[str, ...]] = {
    "Begin": ("init", "check", "lab"),
    "See what it would do": ("explain", "render", "backtest"),
    "Connect dbt Cloud": ("webhooks", "send"),
    "Find out what happened": ("doctor", "events", "event", "dead-letters", "silence"),
    "Run it yourself": ("work", "tick"),
}
"""Every command, in the order of its help; each is the module of its name in `commands/`."""


class Commands(TyperGroup):
    """Imports a command only to run it, to complete it or to show its help."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in PANELS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"cli.commands.{cmd_name.replace('-', '_')}")
            command = get_command(module.app)
            command.name = cmd_name
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Options before the command are few; what belongs to a command is said to."""
        own = {name for each in self.get_params(ctx) for name in each.opts}
        name = args[0].partition("=")[0] if args else ""
        if name.startswith("-") and name not in own and len(args) > 1:
            ctx.fail(f"No such option: {name}. Those of a command stand behind its name.")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Which command `args` begin with; of none, what may have been meant is said.

        Typer looks among the commands that have been loaded, which are none.
        """
        known = self.list_commands(ctx)
        if args[0] not in known and (near := get_close_matches(args[0], known, n=1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands under what one wants to do with them."""
        width = max(map(len, self.list_commands(ctx)))
        for panel, names in PANELS.items():
            with formatter.section(panel):
                limit = formatter.width - width - 4
                commands = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl(
                    [(name.ljust(width), each.get_short_help_str(limit)) for name, each in commands]
                )

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Whatever a user or another side can cause ends in a line and a code."""
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # nor shall the interpreter complain when it closes the output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(Exit.CLOSED_PIPE) from None
        except (Mistake, NotSet) as mistake:
            output.failed(str(mistake))
            raise typer.Exit(Exit.MISTAKE) from None
        except Failure as failure:
            output.failed(str(failure))
            is_busy = isinstance(failure, TemporaryFailure)
            raise typer.Exit(Exit.BUSY if is_busy else Exit.REFUSED) from None
        return found
