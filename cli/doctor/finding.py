"""A finding: what one check found, in a line, and the command that mends it."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it is marked: a word that reads without colour."""

    OK = "ok"
    FAILS = "FAILS"
    WARN = "warn"
    """It works, and should be looked at; or whether it works is not to be seen from here."""
    SKIPPED = "skipped"
    """It was not tried: `said` says why."""


class Group(StrEnum):
    """What belongs together, in the order in which it is shown."""

    CONFIGURATION = "configuration"
    SECRETS = "secrets"
    DBT_CLOUD = "dbt Cloud"
    DESTINATIONS = "destinations"
    LEDGER = "ledger"
    PUBSUB = "Pub/Sub"
    SERVICE = "service"

    @property
    def word(self) -> str:
        """Its name on a command line."""
        return self.value.lower().replace(" ", "-").replace("/", "")


@dataclass(frozen=True)
class Finding:
    """`mend` is what to run, or where that does not do, what to do; empty if nothing is to be."""

    group: Group
    name: str
    state: State
    said: str
    mend: str = ""


@dataclass(frozen=True)
class About:
    """Makes findings about one thing."""

    group: Group
    name: str

    def ok(self, said: str) -> Finding:
        return Finding(self.group, self.name, State.OK, said)

    def fails(self, said: str, mend: str) -> Finding:
        return Finding(self.group, self.name, State.FAILS, said, mend)

    def warns(self, said: str, mend: str = "") -> Finding:
        return Finding(self.group, self.name, State.WARN, said, mend)

    def skipped(self, said: str, mend: str = "") -> Finding:
        return Finding(self.group, self.name, State.SKIPPED, said, mend)
