"""Playing: past runs, one after the other, through the decisions of the service."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

from cli.backtest import questions
from cli.backtest.played import Fired, Line, Played
from cli.history import ASKED, Entry, History
from cli.rehearsal import Rehearsal, Told
from subscriber.actions import Verb
from subscriber.configuration import Configuration
from subscriber.decisions import DOWN_LIMIT
from subscriber.run import outcome

AFTERWARDS = DOWN_LIMIT + timedelta(minutes=1)
"""How long the last runs are waited for: what time alone would bring later is not told."""


def play(
    configuration: Configuration, history: History, show: Callable[[int], None] = lambda _: None
) -> Played:
    """What `configuration` would have told of the runs in `history`, which holds at least one.

    Raises Mistake, which names file and line, where one cannot be read.
    """
    places = history.places
    rehearsal = Rehearsal(configuration, places[0].at)
    lines: list[Line] = []
    rules = {rule.name: Fired() for rule in configuration.rules}
    ended, jobs, lacking = Counter[str](), set[tuple[str, str]](), 0
    undecided: set[str] = set()
    for count, (at, entry) in enumerate(history.entries()):
        if count % 500 == 0:
            show(count)
        event = entry.event
        ended[outcome(event)] += 1
        jobs.add((event.account_id, event.job_id))
        lacking += _lacks(configuration, entry)
        undecided.add(rehearsal.hear(entry, at))
        undecided = _counted(rehearsal, undecided, rules)
        lines += _drained(rehearsal.told)
    rehearsal.until(places[-1].at + AFTERWARDS)
    _counted(rehearsal, undecided, rules)
    lines += _drained(rehearsal.told)
    return Played(
        since=places[0].at,
        until=places[-1].at,
        lines=lines,
        rules=rules,
        ended=ended,
        jobs=len(jobs),
        destinations=tuple(configuration.destinations),
        lacking=lacking,
    )


def _lacks(configuration: Configuration, entry: Entry) -> bool:
    """Whether a rule wants to know more of this run than was asked when it was fetched."""
    if entry.asked == "all":
        return False
    wanted = questions.asked([configuration], entry.event)
    return ASKED.index(wanted) > ASKED.index(entry.asked)


def _counted(rehearsal: Rehearsal, keys: Iterable[str], rules: dict[str, Fired]) -> set[str]:
    """Count what was decided on; the keys of the events that still wait."""
    waiting = set()
    for key in keys:
        if not rehearsal.is_settled(key):
            waiting.add(key)
            continue
        for name, said in rehearsal.result(key).get("rules", {}).items():
            fired = rules.get(name)
            if fired is None:
                continue
            if said.startswith("matched"):
                fired.matched += 1
            else:
                fired.misses[said] += 1
    return waiting


def _drained(told: list[Told]) -> list[Line]:
    lines = [_line(each) for each in told]
    told.clear()
    return lines


def _line(told: Told) -> Line:
    action = told.action
    is_alone = action.verb in (Verb.TELL, Verb.REFRESH)
    said = repr(action.message).encode(errors="surrogatepass")
    return Line(
        at=told.at,
        key=action.key,
        destination=action.destination,
        verb=action.verb,
        headline=action.message.headline,
        problem="" if is_alone else action.episode_key,
        said=hashlib.sha256(said).hexdigest()[:16],
    )
