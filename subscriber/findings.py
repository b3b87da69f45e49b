"""Findings: what is wrong with a configuration, or looks so, each with its place."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import Mistake


@dataclass(frozen=True)
class Finding:
    """`what` is wrong, and how to mend it. Lines and columns count from 1; 0 is not known.

    `key` is where it stands, as `rules[0].when.job`. It is said as compilers do, so that editors
    and terminals lead there.
    """

    what: str
    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""

    @property
    def place(self) -> str:
        """File, line and column, as far as they are known."""
        parts = (self.file, str(self.line or ""), str(self.column or ""))
        return ":".join(part for part in parts if part)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, self.key, self.what) if part)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """`findings` as they stand in the file."""
    return tuple(sorted(findings, key=lambda each: (each.line, each.column)))


class Mistakes(Mistake):
    """Mistakes, each of which is a finding; in the order of the file."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = in_order(findings)
        super().__init__("\n".join(map(str, self.findings)))
