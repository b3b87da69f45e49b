"""A page on a terminal: what people read of an action, in the order in which vendors show it."""

from textwrap import dedent

from cli import output
from cli.output import Cell, Style
from subscriber.actions import Action
from subscriber.page import Item, Tone, page

MARKS: dict[Tone, tuple[str, Style]] = {
    Tone.FAILURE: ("✗", "bad"),
    Tone.WARNING: ("!", "warn"),
    Tone.GOOD: ("✓", "good"),
    Tone.NEUTRAL: ("·", "strong"),
}
LINES_SHOWN = 12  # of one error, or of a log
INDENT = 2


def show(action: Action) -> None:
    """Print it; errors of more than LINES_SHOWN lines are cut."""
    told = page(action)
    mark, style = MARKS[told.tone]
    output.spans(Cell(f"{mark} {told.label}", style), indent=INDENT)
    output.spans(Cell(told.headline, "strong"), indent=INDENT)
    if told.note:
        output.spans(told.note, indent=INDENT)
    for label, value in told.changes:
        _pair(label, value, INDENT)
    for item in told.items:
        _item(item)
    if told.more:
        output.spans(told.more, indent=INDENT)
    for title, below in told.lists:
        output.spans(Cell(title, "strong"), indent=INDENT)
        for line in below:
            output.spans(line, indent=2 * INDENT)
    lines(told.text, INDENT)
    if told.facts:
        output.spans(Cell(" · ".join(f"{k}: {v}" for k, v in told.facts), "dim"), indent=INDENT)
    for link in told.links:
        output.whole(f"{link.title}: {link.url}", "dim", indent=INDENT)
    if told.left_out:
        output.spans(Cell(told.left_out, "dim"), indent=INDENT)


def _item(item: Item) -> None:
    output.spans(Cell(f"{item.title} ", "strong"), Cell(item.status, "dim"), indent=INDENT)
    lines(item.error, 3 * INDENT)
    for label, value in item.facts:
        _pair(label, value, 3 * INDENT)


def lines(text: str, indent: int, limit: int = LINES_SHOWN) -> None:
    """Print the first lines of an error or a log, without those that say nothing."""
    head, _, rest = text.partition("\n")
    # a caret below a column says nothing once the lines are wrapped
    said = [line for line in (head, *dedent(rest).splitlines()) if line.strip(" ^~")]
    for line in said[:limit]:
        output.spans(line, indent=indent)
    if len(said) > limit:
        output.spans(Cell(f"... {len(said) - limit} lines more", "dim"), indent=indent)


def _pair(label: str, value: str, indent: int) -> None:
    output.spans(Cell(f"{label}: ", "dim"), value, indent=indent)
