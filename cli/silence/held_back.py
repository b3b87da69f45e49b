"""What a silence holds back of what is open, and what it names that nobody has seen. Pure."""

from collections.abc import Sequence

from cli.events.open_alerts import Known, Open
from shared.event import RunEvent
from subscriber.patterns import Patterns
from subscriber.silences import Silence


def matched(known: Known, silence: Silence) -> Sequence[Open]:
    """What is open, of which `silence` holds back what follows."""
    return [
        each
        for each in known.open
        if silence.matches(each.event, each.slot[0], each.episode.nodes, each.key)
    ]


def unknown(known: Known, silence: Silence) -> Sequence[str]:
    """Matchers to which nothing answers that has been seen: perhaps a name is misspelt."""
    return [
        name
        for name in ("account", "project", "environment", "job")
        if name in silence.matchers
        and not any(_is_named(name, silence.matchers[name], event) for event in known.jobs)
    ]


def _is_named(name: str, written: Sequence[str], event: RunEvent) -> bool:
    id_, said = {
        "account": (event.account_id, ""),
        "project": (event.project_id, event.project_name),
        "environment": (event.environment_id, event.environment_name),
        "job": (event.job_id, event.job_name),
    }[name]
    return Patterns(tuple(written)).may_match(id=id_, name=said)
