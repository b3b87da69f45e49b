"""A step of the deployment: one thing that shall be there, and the commands that see to it.

Commands are lists of arguments, run from the repository's folder. `${NAME}` in an argument stands
for what another command says (`Deployment.learned`), or for the name of what a step found.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Command = tuple[str, ...]

FOUND = "FOUND"
"""The name under which a step's commands have the `name` of what it found."""

OURS = {"labels": {"app": "afterrun"}}

_LEARNED = re.compile(r"\$\{([A-Z_]+)\}")


def whole(answer: Any) -> Any:
    """Finds everything that a command printed, if that is anything."""
    return answer or None


@dataclass(frozen=True)
class Look:
    """How to see whether a thing is there: `find` is what is ours of the JSON that `command`
    prints, or None; of its text, where `is_text`.

    Where there is no such thing the command fails; or else it lists others, and then `names` does
    for a shell what `find` does here: it prints the names of what is ours.
    """

    command: Command
    find: Callable[[Any], Any] = whole
    names: Command = ()
    is_text: bool = False


@dataclass(frozen=True)
class Step:
    """`part` is the name under which steps are chosen. `make` may be repeated where there is no
    `look`, or where `repeats`; without `make` there is nothing to do if it is not there.

    What is found is left alone if it agrees with `wanted`, or if there is no `change`; else that is
    run. `undo` takes away what is found, by `still` if that is given, and agrees with `made_here`;
    where that loses what people may want to keep, `is_data`.

    `asks` names the secret that `make` reads from standard input. `slow` says what to expect of a
    step that takes minutes. With an `offer`, a question, the step is asked for, cannot work before
    secrets have values, and is left for later where it fails.
    """

    what: str
    part: str
    make: tuple[Command, ...]
    look: Look | None = None
    repeats: bool = False
    wanted: Mapping[str, Any] = field(default_factory=dict)
    change: tuple[Command, ...] = ()
    undo: tuple[Command, ...] = ()
    still: Look | None = None
    made_here: Mapping[str, Any] = field(default_factory=dict)
    is_data: bool = False
    asks: str = ""
    slow: str = ""
    offer: str = ""


def learned_by(*commands: Command) -> list[str]:
    """The names that stand in `commands` for what is not known before, each once."""
    words = [word for command in commands for word in command]
    return list(dict.fromkeys(name for word in words for name in _LEARNED.findall(word)))


def told(command: Command, known: Mapping[str, str]) -> Command:
    """`command` with what is known put in."""
    return tuple(_put(word, known) for word in command)


def told_all(value: Any, known: Mapping[str, str]) -> Any:
    """The same for the texts in a value of JSON."""
    if isinstance(value, str):
        return _put(value, known)
    if isinstance(value, Mapping):
        return {key: told_all(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [told_all(each, known) for each in value]
    return value


def _put(text: str, known: Mapping[str, str]) -> str:
    return _LEARNED.sub(lambda name: known.get(name[1], name[0]), text)


def gcloud(project: str, *arguments: str) -> Command:
    """A gcloud command that names its project, whatever gcloud is set to, and asks nothing."""
    return ("gcloud", *arguments, f"--project={project}", "--quiet")
