"""Consequences: a job's new state and the actions an event calls for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.event import RunEvent
from subscriber import message
from subscriber.actions import Action, Message, Verb
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.diagnosis import diagnose
from subscriber.episodes import Episode, JobState, action_key, decide, episode_key
from subscriber.rules import asked
from subscriber.run import Answer, Outcome

LINK_LIMIT = 2_000  # characters


@dataclass(frozen=True)
class Consequences:
    """`reasons` say for each destination, for people, why something follows or nothing."""

    state: JobState
    actions: tuple[Action, ...]
    reasons: Mapping[str, str]


def consequences(
    configuration: Configuration,
    event: RunEvent,
    ended: Outcome,
    answer: Answer,
    state: JobState,
    now: datetime,
) -> Consequences:
    """What follows from `event`, whose run ended so, for a job whose state is `state`.

    `answer` is what dbt Cloud said, empty where nothing that follows needs it.
    """
    link = _link(configuration, event, answer)
    trigger = answer.run.trigger if answer.run else ""
    called = asked(event, ended, trigger, configuration.rules)
    run_id = int(event.run_id)
    left = dict(state.episodes)
    told: Message | None = None
    actions: list[Action] = []
    reasons: dict[str, str] = {}
    for name in _alerting(configuration, called, state):
        decided = decide(left.get(name), ended, run_id, state.newest_run, is_asked=name in called)
        reasons[name] = _reason(decided.reason, called.get(name))
        if decided.verb is Verb.OPEN:
            told = told or message.failed(event, answer, diagnose(answer), link)
            action = _opening(event, name, told, now)
            left[name] = Episode(action.episode_key, event.run_id, run_id, action.key)
            actions.append(action)
        elif decided.verb is Verb.CLOSE:
            actions.append(_closing(event, name, left.pop(name), link, now))
    for name in sorted(called):
        if configuration.destinations[name].does is Does.REFRESH:
            reasons[name] = _reason("the run succeeded", called[name])
            actions.append(_refreshing(event, name, message.succeeded(event, link), now))
    return Consequences(
        JobState(max(state.newest_run, run_id), _seen(left, ended, run_id)), tuple(actions), reasons
    )


def _reason(reason: str, rules: Sequence[str] | None) -> str:
    return f"{reason} (rule: {', '.join(rules)})" if rules else reason


def _alerting(configuration: Configuration, called: Iterable[str], state: JobState) -> list[str]:
    """Destinations with an open episode, even if no longer configured, and those asked to alert."""
    alerts = {name for name in called if configuration.destinations[name].does is Does.ALERT}
    return sorted(alerts | set(state.episodes))


def _seen(left: Mapping[str, Episode], ended: Outcome, run_id: int) -> Mapping[str, Episode]:
    """Open episodes that have seen this run fail: only a newer one closes them."""
    if ended is not Outcome.FAILED:
        return left
    return {
        name: replace(episode, latest_run=max(episode.latest_run, run_id))
        for name, episode in left.items()
    }


def _opening(event: RunEvent, destination: str, told: Message, now: datetime) -> Action:
    return Action(
        key=action_key(event.account_id, destination, event.job_id, event.run_id, Verb.OPEN),
        destination=destination,
        verb=Verb.OPEN,
        episode_key=episode_key(event.account_id, event.job_id, event.run_id),
        message=told,
        occurred_at=_occurred_at(event, now),
    )


def _closing(
    event: RunEvent, destination: str, episode: Episode, link: str, now: datetime
) -> Action:
    return Action(
        key=action_key(
            event.account_id, destination, event.job_id, episode.opening_run, Verb.CLOSE
        ),
        destination=destination,
        verb=Verb.CLOSE,
        episode_key=episode.key,
        message=message.recovered(event, link),
        occurred_at=_occurred_at(event, now),
        after=episode.latest_action,
    )


def _refreshing(event: RunEvent, destination: str, told: Message, now: datetime) -> Action:
    key = action_key(event.account_id, destination, event.job_id, event.run_id, Verb.REFRESH)
    return Action(
        key=key,
        destination=destination,
        verb=Verb.REFRESH,
        episode_key=key,
        message=told,
        occurred_at=_occurred_at(event, now),
    )


def _occurred_at(event: RunEvent, now: datetime) -> datetime:
    return event.finished_at or event.occurred_at or now


def _link(configuration: Configuration, event: RunEvent, answer: Answer) -> str:
    """The run in dbt Cloud's own pages, as the API says or as such links are made."""
    link = answer.run.link if answer.run else ""
    if link.startswith(("https://", "http://")) and len(link) <= LINK_LIMIT:
        return link
    if not event.project_id:
        return ""
    base = f"https://{configuration.dbt_cloud.host}"
    return f"{base}/deploy/{event.account_id}/projects/{event.project_id}/runs/{event.run_id}"
