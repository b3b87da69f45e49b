"""The story of an alert: all that was told of one episode at one destination, by whichever run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from cli.events.life import Life
from cli.events.newest import works
from cli.events.tellings import Telling, telling
from shared.event import RunEvent
from subscriber import silences
from subscriber.actions import Verb, key_with
from subscriber.episodes import Episode, episode_key
from subscriber.ledger.contract import Ledger
from subscriber.silences import Silence
from subscriber.states import Slot, State, environment_key, job_key

ALERTS = 5  # whose stories are read
TELLINGS = 200  # of one alert
_STEP = 10
_OF_ALERTS = (Verb.OPEN, Verb.UPDATE, Verb.REMIND, Verb.CLOSE)


@dataclass(frozen=True)
class AlertStory:
    """`told` in the order in which it was; `now` is the episode while it is open."""

    key: str
    destination: str
    told: Sequence[Telling]
    now: Episode | None = None


@dataclass(frozen=True)
class Stories:
    """`held` are problems of which nobody has been told, by destination and subject; `silences`
    those that the event's record names.
    """

    alerts: Sequence[AlertStory]
    held: Sequence[tuple[Slot, Episode]]
    more: int = 0
    silences: Sequence[Silence] = ()


def stories(ledger: Ledger, life: Life) -> Stories:
    """The alerts that an event was about: those it told of, and those of its job that are open."""
    if life.event is None:
        return Stories((), ())
    alerting = [each for each in life.tellings if each.verb in _OF_ALERTS]
    told = dict.fromkeys(key_with(each.key, Verb.OPEN) for each in alerting)
    state = _remembered(ledger, life.event, life.tellings)
    open_now = {
        key_with(episode.latest_action, Verb.OPEN): episode
        for episode in state.episodes.values()
        if episode.is_open and episode.latest_action
    }
    # of what was told nothing, because something is open already
    silent = {place.split(" ")[0] for place in (life.work.result.get("reasons") or {})}
    silent -= {each.destination for each in life.tellings}
    about, held = list(told), []
    for slot, episode in state.episodes.items():
        if slot[0] in silent and not episode.is_open:
            held.append((slot, episode))
        elif slot[0] in silent and int(episode.opening_run or 0) <= int(life.event.run_id):
            about.append(key_with(episode.latest_action, Verb.OPEN))
    account = life.event.account_id
    alerts = [_story(ledger, account, key, open_now.get(key)) for key in about[:ALERTS]]
    return Stories(alerts, held, len(about) - len(alerts), _silences(ledger, life))


def _silences(ledger: Ledger, life: Life) -> list[Silence]:
    """The silences of which the record says that they held something back."""
    said = " ".join((life.work.result.get("reasons") or {}).values())
    if "silenced" not in said:
        return []
    (subject,) = ledger.subjects([silences.KEY])
    return [each for each in silences.read(subject.body) if f"({each.id})" in said]


def _remembered(ledger: Ledger, event: RunEvent, tellings: Sequence[Telling]) -> State:
    """The episodes of the event's job, of its environment's nodes, and of refreshes it started."""
    refreshes = {each.destination for each in tellings if each.verb == Verb.REFRESH}
    keys = [f"{event.account_id}/refresh/{name}" for name in sorted(refreshes)]
    subjects = ledger.subjects([job_key(event), environment_key(event), *keys])
    states = [State.read(subject.body, {}) for subject in subjects]
    return State(episodes={slot: each for state in states for slot, each in state.episodes.items()})


def _story(ledger: Ledger, account: str, opening: str, episode: Episode | None) -> AlertStory:
    told = list(_told(ledger, opening))
    parts = opening.split("/")
    key = next((each.episode for each in told if each.episode), "")
    key = key or episode_key(account, "/".join(parts[2:-3]), parts[-3])
    return AlertStory(key, parts[1], told, episode)


def _told(ledger: Ledger, opening: str) -> Iterator[Telling]:
    """What the ledger has of an episode: its open, its updates and reminders, its close."""
    prefix = opening.removesuffix(f"/{Verb.OPEN}/1")
    ends = works(ledger, [opening, key_with(opening, Verb.CLOSE)])
    between = []
    for first in range(1, TELLINGS, _STEP):
        keys = [
            f"{prefix}/{verb}/{n}"
            for n in range(first, first + _STEP)
            for verb in (Verb.UPDATE, Verb.REMIND)
        ]
        found = {key: work for key, work in works(ledger, keys).items() if work}
        between.append(found)
        if len(found) < _STEP:
            break
    middle = dict(chain.from_iterable(each.items() for each in between))
    close = key_with(opening, Verb.CLOSE)
    for key, work in [(opening, ends[opening]), *middle.items(), (close, ends[close])]:
        if work is not None:
            yield telling(key, work, None)
