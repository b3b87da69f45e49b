"""Words: what rules say of their own in what they have told: a title, a note, how severe it is."""

from dataclasses import dataclass

from subscriber.run import SEVERITIES


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
        worst = max((self.severity, other.severity), key=("", *SEVERITIES).index)
        return Words(
            title=self.title or other.title,
            note=self.note or other.note,
            severity=worst,
        )


NO_WORDS = Words()
