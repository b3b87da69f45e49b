"""Shortening: one ladder for every vendor's limits; what is left out is said. Pure.

A destination renders what it is told rung by rung, and sends the first that fits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from subscriber.actions import Message, Node
from subscriber.cutting import cut

T = TypeVar("T")

ERRORS_CUT = "the ends of long errors"
HEADLINE_LIMIT = 300  # characters, on the last rung
LINK_LIMIT = 2_000


@dataclass(frozen=True)
class _Rung:
    """How much is told: of so many nodes, with so many characters of each error."""

    nodes: int
    error: int
    text: int
    names: int = 50
    """Of nodes skipped because of one; of new, still bad and fixed ones; groups."""
    value: int = 600
    """Characters of anything else: a fact, a path, a note."""


_RUNGS = (
    _Rung(nodes=1_000, error=16_000, text=16_000, value=2_000),
    _Rung(nodes=1_000, error=8_000, text=8_000, value=2_000),
    _Rung(nodes=500, error=4_000, text=4_000),
    _Rung(nodes=200, error=2_000, text=4_000),
    _Rung(nodes=100, error=2_000, text=2_000, names=20),
    _Rung(nodes=100, error=1_000, text=2_000, names=20),
    _Rung(nodes=50, error=1_000, text=2_000, names=20),
    _Rung(nodes=50, error=500, text=1_000, names=10, value=300),
    _Rung(nodes=20, error=500, text=1_000, names=10, value=300),
    _Rung(nodes=20, error=250, text=1_000, names=10, value=300),
    _Rung(nodes=10, error=250, text=500, names=5, value=200),
    _Rung(nodes=5, error=250, text=500, names=5, value=200),
    _Rung(nodes=3, error=250, text=250, names=3, value=150),
    _Rung(nodes=1, error=250, text=250, names=3, value=100),
)


def fitting(message: Message, render: Callable[[Message], T], fits: Callable[[T], bool]) -> T:
    """The first of `render` of `message` and of its shorter forms that `fits`.

    The shortest form, if none does: it has at most some 600 characters beside its links.
    """
    rendered = render(message)
    if fits(rendered):
        return rendered
    for shorter in shorter_forms(message):
        rendered = render(shorter)
        if fits(rendered):
            return rendered
    return rendered


def shorter_forms(message: Message) -> Iterator[Message]:
    """`message` told with less and less detail, each time saying what is left out.

    At last the headline, what is affected, and the links.
    """
    before = message
    for rung in _RUNGS:
        shorter = _shortened(message, rung)
        if shorter != before and shorter != message:
            yield shorter
            before = shorter
    yield _bare(message)


def _shortened(message: Message, rung: _Rung) -> Message:
    nodes = tuple(_node(node, rung) for node in message.nodes[: rung.nodes])
    hidden = len(message.nodes) - len(nodes)
    shorter = replace(
        message,
        headline=cut(message.headline, max(rung.value, HEADLINE_LIMIT)),
        source=cut(message.source, rung.value),
        note=cut(message.note, rung.value),
        text=cut(message.text, rung.text),
        nodes=nodes,
        more_nodes=message.more_nodes + hidden,
        facts={cut(k, rung.value): cut(v, rung.value) for k, v in list(message.facts.items())[:50]},
        link=message.link if len(message.link) <= LINK_LIMIT else "",
        job_link=message.job_link if len(message.job_link) <= LINK_LIMIT else "",
        new=_names(message.new, rung),
        still=_names(message.still, rung),
        fixed=_names(message.fixed, rung),
        causes=_names(message.causes, rung),
        owners=_names(message.owners, rung),
    )
    return replace(shorter, left_out=_left_out(message, shorter, hidden))


def _left_out(message: Message, shorter: Message, hidden: int) -> str:
    """What `shorter` does not tell of `message`, as a sentence; empty if it tells it all."""
    if shorter == message:
        return message.left_out
    kept = message.nodes[: len(shorter.nodes)]
    errors = ERRORS_CUT in message.left_out or any(
        one.message != other.message for one, other in zip(kept, shorter.nodes, strict=True)
    )
    missing = hidden + message.more_nodes
    nodes = f"{missing} of {len(message.nodes) + message.more_nodes} failed nodes"
    text = "the end of the text" if shorter.text != message.text else ""
    said = [part for part in (nodes if missing else "", ERRORS_CUT if errors else "", text) if part]
    return left_out(message, said or ["the ends of long texts"])


def left_out(message: Message, what: Sequence[str]) -> str:
    """The sentence that says that `what` is not told here of `message`."""
    return f"Left out here: {', '.join(what)}. {_where(message)}"


def _bare(message: Message) -> Message:
    return Message(
        headline=cut(message.headline, HEADLINE_LIMIT),
        source=cut(message.source, 150),
        link=message.link if len(message.link) <= LINK_LIMIT else "",
        job_link=message.job_link if len(message.job_link) <= LINK_LIMIT else "",
        level=message.level,
        outcome=message.outcome,
        since=message.since,
        severity=message.severity,
        severities=message.severities,
        more_nodes=message.more_nodes + len(message.nodes),
        left_out=f"All details were too long and are left out here. {_where(message)}",
    )


def _where(message: Message) -> str:
    return "The run in dbt Cloud has it all." if message.link else "dbt Cloud has it all."


def _node(node: Node, rung: _Rung) -> Node:
    return replace(
        node,
        unique_id=cut(node.unique_id, rung.value),
        name=cut(node.name, rung.value),
        kind=cut(node.kind, rung.value),
        status=cut(node.status, rung.value),
        message=cut(node.message, rung.error),
        path=cut(node.path, rung.value),
        group=cut(node.group, rung.value),
        owner=cut(node.owner, rung.value),
        tags=_names(node.tags, rung),
        skipped=_names(node.skipped, rung),
    )


def _names(names: tuple[str, ...], rung: _Rung) -> tuple[str, ...]:
    shown = tuple(cut(name, rung.value) for name in names[: rung.names])
    more = len(names) - len(shown)
    return (*shown, f"and {more} more") if more else shown
