"""Alerts that are still open at destinations which have left the configuration."""

from collections.abc import Collection, Sequence
from datetime import datetime

from cli.doctor.finding import About, Finding, Group
from cli.events.open_alerts import known
from subscriber.ledger.contract import Ledger
from subscriber.states import Slot

EVENTS_LIMIT = 500
SHOWN = 5


def found(ledger: Ledger, configured: Collection[str], now: datetime) -> Finding:
    """What there is to say of them. Raises what the ledger raises."""
    seen = known(ledger, now, EVENTS_LIMIT)
    return judged(
        [each.slot for each in seen.open if each.episode.is_open], configured, seen.looked
    )


def judged(slots: Sequence[Slot], configured: Collection[str], count: int) -> Finding:
    """What there is to say of episodes that are open in `slots`. Pure."""
    about = About(Group.LEDGER, "open alerts")
    if not count:
        return about.ok("none, and no event has been recorded yet")
    of = f"by the jobs of the last {count} events"
    left = [f"{subject} at {name}" for name, subject in slots if name not in configured]
    if not left:
        return about.ok(f"{len(slots) or 'none'}, {of}; each destination is still configured")
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    said = f"{', '.join(left[:SHOWN])}{more}: no longer configured; a recovery still closes them"
    return about.warns(said, "keep what opened them readable until then, or close them by hand")
