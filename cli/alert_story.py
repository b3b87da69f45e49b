"""The story of an alert: all that was told of one episode at one destination, by whichever run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from cli.life import Life
from cli.newest import works
from cli.tellings import Telling, telling
from subscriber.actions import Verb, key_with
from subscriber.episodes import Episode, episode_key
from subscriber.ledger.contract import Ledger
from subscriber.states import Slot, State, environment_key, job_key

ALERTS = 5  # whose stories are read
TELLINGS = 200  # of one alert
_STEP = 10


@dataclass(frozen=True)
class AlertStory:
    """`told` in the order in which it was; `now` is the episode while it is open."""

    key: str
    destination: str
    told: Sequence[Telling]
    now: Episode | None = None


@dataclass(frozen=True)
class Stories:
    """`held` are problems of which nobody has been told, by destination and subject."""

    alerts: Sequence[AlertStory]
    held: Sequence[tuple[Slot, Episode]]
    more: int = 0


def stories(ledger: Ledger, life: Life) -> Stories:
    """The alerts that an event was about: those it told of, and those of its job that are open."""
    if life.event is None:
        return Stories((), ())
    account = life.event.account_id
    job, environment = ledger.subjects([job_key(life.event), environment_key(life.event)])
    state = State.read(job.body, environment.body)
    thought_of = {place.split(" ")[0] for place in (life.work.result.get("reasons") or {})}
    known = {each.key: each for each in life.tellings}
    opened: dict[str, Episode | None] = {}
    for each in life.tellings:
        if each.verb in (Verb.OPEN, Verb.UPDATE, Verb.REMIND, Verb.CLOSE):
            opened.setdefault(key_with(each.key, Verb.OPEN), None)
    held = []
    for slot, episode in state.episodes.items():
        if slot[0] not in thought_of:
            continue
        if not episode.is_open:
            held.append((slot, episode))
        elif episode.latest_action:
            opened[key_with(episode.latest_action, Verb.OPEN)] = episode
    chosen = list(opened.items())[:ALERTS]
    alerts = [_story(ledger, account, key, episode, known) for key, episode in chosen]
    return Stories(alerts, held, len(opened) - len(chosen))


def _story(
    ledger: Ledger, account: str, opening: str, episode: Episode | None, known: dict[str, Telling]
) -> AlertStory:
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
