"""What was found, for people: grouped, a line each, below it the command that mends it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from cli import output
from cli.doctor.finding import Finding, Group, State

NAME_WIDTH = 22  # columns; what is longer has a line of its own
_STYLES = {State.OK: "green", State.FAILS: "bold red", State.WARN: "yellow", State.SKIPPED: "dim"}
_MARK = max(len(state) for state in State)
_NARROW_INDENT = 4
_COMMANDS = ("afterrun ", "chmod ", "gcloud ", "mkdir ", "python3 ")


def show(found: Sequence[Finding]) -> None:
    """Print `found` on stdout."""
    out = output.console()
    names = [len(each.name) for each in found if len(each.name) <= NAME_WIDTH]
    width = max(names, default=0)
    for group in Group:
        within = [each for each in found if each.group is group]
        if not within:
            continue
        out.print(Text(group, style="bold"))
        for each in within:
            for line in _lines(out, each, width):
                out.print(line, soft_wrap=True)
            for line in _mend(out, each):
                out.print(line, soft_wrap=True)
        out.print()
    output.say(summary(found), "bad" if _fails(found) else "good")


def summary(found: Iterable[Finding]) -> str:
    """How many of each: `2 fail, 1 to look at, 3 not tried, 17 ok`."""
    count = Counter(each.state for each in found)
    words = {
        State.FAILS: "fails" if count[State.FAILS] == 1 else "fail",
        State.WARN: "to look at",
        State.SKIPPED: "not tried",
        State.OK: "ok",
    }
    return ", ".join(f"{count[state]} {word}" for state, word in words.items() if count[state])


def as_data(found: Sequence[Finding]) -> dict[str, object]:
    """The same for programs."""
    return {
        "works": not _fails(found),
        "findings": [
            {
                "group": each.group.word,
                "name": _plain(each.name),
                "state": each.state.value.lower(),
                "said": output.shown(each.said),
                "mend": _plain(each.mend),
            }
            for each in found
        ],
    }


def _fails(found: Iterable[Finding]) -> bool:
    return any(each.state is State.FAILS for each in found)


def _lines(out: Console, finding: Finding, width: int) -> Iterator[Text]:
    """The mark, the name and, wrapped beside or below them, what is said."""
    head = Text("  ") + Text(finding.state, style=_STYLES[finding.state])
    name, said = _plain(finding.name), Text(output.shown(finding.said))
    if out.width < output.NARROW:
        yield head + Text(f" {name}")
        indent, rest = " " * _NARROW_INDENT, None
    else:
        head.pad_right(_MARK + 2 - len(head))
        head.append(f" {name}")
        indent = " " * (_MARK + 4 + width + 1) if width else " " * (_MARK + 4)
        rest = head if len(head) < len(indent) else None
        if rest is None:
            yield head
    for line in said.wrap(out, max(10, out.width - len(indent))):
        line.rstrip()
        if rest is None:
            yield Text(indent) + line
        else:
            rest.pad_right(len(indent) - len(rest))
            yield rest + line
            rest = None


def _mend(out: Console, finding: Finding) -> Iterator[Text]:
    """A command is never broken: it is to be copied."""
    if not finding.mend:
        return
    label = "do: " if finding.state is State.SKIPPED else "fix: "
    indent = " " * (_NARROW_INDENT if out.width < output.NARROW else _MARK + 3)
    mend, before = Text(_plain(finding.mend)), indent + label
    is_command = mend.plain.startswith(_COMMANDS)
    room = max(10, out.width - len(before))
    for line in [mend] if is_command else mend.wrap(out, room):
        line.rstrip()
        yield Text(before) + line
        before = " " * len(before)


def _plain(text: str) -> str:
    """What is ours, on one line; what looks like a secret in it names one."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
