"""How a command is set up, the same for all: plain help that reads well in 80 columns."""

import typer
from typer.core import TyperGroup

EXAMPLE_LIMIT = 74  # columns of an example; a longer one is folded as a shell takes it
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 80}


def made(cls: type[TyperGroup] | None = None, **settings: str) -> typer.Typer:
    """A Typer for one command, or for one with commands of its own."""
    return typer.Typer(
        cls=cls or TyperGroup,
        add_completion=cls is not None,
        no_args_is_help=cls is None,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=dict(HELP),
        **settings,  # type: ignore[arg-type]
    )


def examples(*commands: str) -> str:
    """The end of a help: each command on lines of its own, to be pasted as it is."""
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {_folded(each)}" for each in commands)])


def _folded(command: str) -> str:
    """`command`, broken before options, where it is longer than a line."""
    first, *options = command.split(" --")
    lines = [first]
    for option in (f"--{each}" for each in options):
        if len(lines[-1]) + len(option) + len(" \\ ") > EXAMPLE_LIMIT:
            lines.append(f"  {option}")
        else:
            lines[-1] += f" {option}"
    return " \\\n  ".join(lines)
