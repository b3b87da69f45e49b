"""A deployment as a shell script: every command, exactly as it would be run. Pure."""

import re
import shlex
from collections.abc import Iterable, Iterator

from deploy.names import Deployment
from deploy.step import FOUND, Command, Look, Step, learned_by

_HEAD = "# From the repository's folder, in bash. Nothing here has been run."


def making(it: Deployment, chosen: Iterable[Step]) -> Iterator[str]:
    """The lines that make it; they may be run again."""
    yield _HEAD
    learned: set[str] = set()
    before: tuple[Command, ...] = ()
    for step in chosen:
        if step.make in ((), before):
            continue
        before = step.make
        yield from ("", f"# {step.what}")
        yield from _learning(it, step.make, learned)
        if step.asks:
            yield f"# waits for the value of {step.asks}, then Ctrl-D"
        if step.offer and step.look:
            yield f"# unless it is listed by: {shlex.join(step.look.command)}"
        if step.look is None or step.repeats or step.offer:
            yield from (written(command) for command in step.make)
        else:
            yield f"{_there(step.look)} ||"
            yield "  " + " && ".join(written(command) for command in step.make)
        if step.change:
            yield "# where it is otherwise:"
            yield from (f"# {written(command)}" for command in step.change)


def undoing(it: Deployment, chosen: Iterable[Step]) -> Iterator[str]:
    """The lines that take it away, what is not there left out by whoever runs them."""
    yield _HEAD
    learned: set[str] = set()
    for step in chosen:
        if not step.undo:
            continue
        yield from ("", f"# {step.what}")
        yield from _learning(it, step.undo, learned)
        if step.made_here:
            yield "# if it is ours: labels.app is afterrun"
        look = step.still or step.look
        if look is not None and look.names:
            yield f'FOUND="$({written(look.names)})"'
        elif look is not None and FOUND in learned_by(*step.undo):
            yield f"# FOUND is its id, of those listed by: {written(look.command)}"
        yield from (written(command) for command in step.undo)


def _learning(it: Deployment, commands: Iterable[Command], learned: set[str]) -> Iterator[str]:
    for name in learned_by(*commands):
        if name != FOUND and name not in learned:
            learned.add(name)
            yield f'{name}="$({shlex.join(it.learned()[name])})"'


def _there(look: Look) -> str:
    """What succeeds in a shell if it is there."""
    if look.names:
        return f'[ -n "$({written(look.names)})" ]'
    return f"{written(look.command)} >/dev/null 2>&1"


def written(command: Command) -> str:
    """A command for a shell, which puts in what it has learned."""
    return " ".join(_word(word) for word in command)


def _word(word: str) -> str:
    if not learned_by((word,)):
        return shlex.quote(word)
    escaped = re.sub(r'(["`\\]|\$(?!\{[A-Z_]+\}))', r"\\\1", word)
    return f'"{escaped}"'
