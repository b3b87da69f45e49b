"""How a command is set up, the same for all: plain help that reads well in 80 columns."""

import typer
from typer.core import TyperGroup

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
