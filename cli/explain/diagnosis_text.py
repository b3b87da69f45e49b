"""A diagnosis on a terminal: what failed, whose it is, and what was skipped because of it."""

from collections.abc import Sequence

from cli import output
from cli.output import Cell, Style
from cli.render import page_text
from subscriber.diagnosis import Cause, Diagnosis, groups
from subscriber.message import names_of

CAUSES_SHOWN = 5
NAMES_SHOWN = 8
LINES_SHOWN = 6  # of one error; of a log twice as many
GROUPS_SHOWN = 5


def show(diagnosis: Diagnosis, style: Style) -> None:
    """Print it. `style` is that of the names of the nodes."""
    causes = diagnosis.causes
    if not causes and not diagnosis.text:
        output.spans(Cell("The nodes are not known, nor what the log says.", "dim"), indent=2)
    if len(causes) <= CAUSES_SHOWN:
        for cause in causes:
            _cause(cause, style)
    else:
        _groups(diagnosis, style)
    if diagnosis.text:
        page_text.lines(diagnosis.text, 2, 2 * LINES_SHOWN)
    if diagnosis.skipped > sum(len(cause.skipped) for cause in causes[:CAUSES_SHOWN]):
        output.spans(Cell(f"{diagnosis.skipped} nodes were skipped in all", "dim"), indent=2)


def _groups(diagnosis: Diagnosis, style: Style) -> None:
    """Many nodes: the first of each error, and who has how many."""
    by_cause = groups(diagnosis.causes, "cause")
    for group in by_cause[:CAUSES_SHOWN]:
        first, *others = group.causes
        _cause(first, style)
        if others:
            names = names_of([cause.result.unique_id for cause in others])
            output.spans(f"the same error at {len(others)} more: {names}", indent=6)
    if (more := len(by_cause) - CAUSES_SHOWN) > 0:
        output.spans(Cell(f"and {more} more errors", "dim"), indent=2)
    by_owner = groups(diagnosis.causes, "owner")
    said = [f"{group.title} {len(group.causes)}" for group in by_owner[:GROUPS_SHOWN]]
    said += [f"and {len(by_owner) - GROUPS_SHOWN} more"] if len(by_owner) > GROUPS_SHOWN else []
    output.spans(Cell("by owner: ", "dim"), ", ".join(said), indent=2)


def _cause(cause: Cause, style: Style) -> None:
    result = cause.result
    whose = result.owner or result.owner_email
    if result.owner and result.owner_email:
        whose = f"{result.owner} <{result.owner_email}>"
    output.spans(Cell(f"{result.kind} {result.name} ", style), Cell(result.said, "dim"), indent=2)
    page_text.lines(cause.message, 6, LINES_SHOWN)
    facts = [
        ("owner", whose or ("none" if result.is_described else "not looked up")),
        ("group", result.group),
        ("tags", ", ".join(result.tags)),
    ]
    said = [f"{label} {value}" for label, value in facts if value]
    output.spans(" · ".join(said), indent=6)
    if cause.path:
        output.spans(Cell(cause.path, "dim"), indent=6)
    if cause.skipped:
        told = f"{len(cause.skipped)} skipped because of it: {_names(cause.skipped)}"
        output.spans(Cell(told, "dim"), indent=6)


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
