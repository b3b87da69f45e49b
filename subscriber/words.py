"""Words: what rules say of their own in what they have told: a title, a note, how severe it is."""

from dataclasses import dataclass
from typing import Literal, get_args

Severity = Literal["critical", "error", "warning", "info"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
"""The worst first."""


@dataclass(frozen=True)
class Words:
    """`title` and `note` are templates, as a rule has them; empty is what no rule says."""

    title: str = ""
    note: str = ""
    severity: str = ""

    def joined(self, other: "Words") -> "Words":
        """Those of two rules, of which `other` stands below: the first title, the first note, and
        the worst severity.
        """
        named = {self.severity, other.severity}
        return Words(
            title=self.title or other.title,
            note=self.note or other.note,
            severity=next((each for each in SEVERITIES if each in named), ""),
        )


NO_WORDS = Words()
