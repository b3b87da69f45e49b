"""Checking: what there is to say of a configuration. Pure, but for reading the file."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from cli import output
from shared.errors import Mistake
from subscriber import settings
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.findings import Finding, Mistakes
from subscriber.settings import DEFAULT_FILE, Unreadable

_VARIABLES = re.compile(
    r"(?P<names>[A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*): (?P<what>.+)", re.DOTALL
)


@dataclass(frozen=True)
class Checked:
    """What was found in `file`; empty, where it is the guides' variables that were looked at.

    `configuration` is what it says; None if it has mistakes.
    """

    file: str
    mistakes: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    configuration: Configuration | None = None

    def with_mistakes(self, found: list[Finding]) -> "Checked":
        return replace(self, mistakes=(*self.mistakes, *found))

    def with_warnings(self, found: list[Finding]) -> "Checked":
        return replace(self, warnings=(*self.warnings, *found))

    def is_right(self, *, strict: bool = False) -> bool:
        return not self.mistakes and not (strict and self.warnings)


def checked(environ: Mapping[str, str]) -> Checked:
    """The configuration that `environ` names or is, as the service reads it.

    Raises Unreadable where there is nothing to look at.
    """
    path = settings.file_of(environ)
    file = str(path) if path else ""
    try:
        found = settings.configured(environ)
    except Unreadable:
        raise
    except Mistakes as mistakes:
        return Checked(file, mistakes.findings)
    except Mistake as mistake:
        return Checked(file, (of_variable(mistake),))
    return Checked(file, warnings=found.warnings, configuration=found)


def of_variable(mistake: Mistake) -> Finding:
    """A mistake in the environment as a finding, whose key is the variable."""
    said = _VARIABLES.fullmatch(str(mistake))
    return Finding(said["what"], key=said["names"]) if said else Finding(str(mistake))


def summary(found: Checked) -> str:
    """All of it in one line: whether it is right, and what there is in it."""
    what = found.file or f"the guides' variables (there is no {DEFAULT_FILE} here)"
    mistakes, warnings = len(found.mistakes), len(found.warnings)
    counts = [output.count(mistakes, "mistake")] if mistakes else []
    counts += [output.count(warnings, "warning")] if warnings else []
    are = "is" if found.file else "are"
    said = f"{what}: {' and '.join(counts)}" if counts else f"{what} {are} right"
    said = said[0].upper() + said[1:] if not found.file else said
    if found.configuration is None:
        return f"{said}."
    return f"{said}{'; ' if counts else ': '}{_contents(found.configuration)}."


def note(kept: Configuration | None) -> str:
    """What may be meant so, and is worth knowing: that nobody is paged. Empty if there is nothing.

    No warning: many a team has a channel and no pager, and would hear of it at each start.
    """
    if kept is None or any(each.does is Does.ALERT for each in kept.destinations.values()):
        return ""
    return (
        "no destination opens alerts: a run that fails in production pages nobody. If somebody is "
        "to be called, add one of kind pagerduty and a rule for failures"
    )


def data(found: Checked) -> dict[str, Any]:
    """The same for programs."""
    kept = found.configuration
    return {
        "file": found.file or None,
        "findings": [
            *(_finding(each, "mistake") for each in found.mistakes),
            *(_finding(each, "warning") for each in found.warnings),
        ],
        "note": note(kept) or None,
        "rules": len(kept.rules) if kept else None,
        "destinations": dict(_kinds(kept)) if kept else None,
    }


def _finding(found: Finding, severity: Literal["mistake", "warning"]) -> dict[str, Any]:
    return {
        "file": found.file or None,
        "line": found.line or None,
        "column": found.column or None,
        "key": found.key or None,
        "message": found.what,
        "severity": severity,
    }


def _contents(kept: Configuration) -> str:
    kinds = ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in sorted(_kinds(kept).items()))
    parts = [
        output.count(len(kept.rules), "rule"),
        f"{output.count(len(kept.destinations), 'destination')} ({kinds})",
    ]
    parts += [output.count(len(kept.overrides), "override")] if kept.overrides else []
    parts += [output.count(len(kept.owners), "owner")] if kept.owners else []
    return ", ".join(parts)


def _kinds(kept: Configuration) -> Counter[str]:
    return Counter(each.kind() for each in kept.destinations.values())
