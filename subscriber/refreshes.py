"""Refreshes: what the end of one means for those who are to hear of it. Pure.

A refresh that keeps failing is one problem with one alert, like a job: it opens with the first that
does not end well, and is closed by the next that does. What has been started elsewhere in another
way (a dbt job) is a refresh here as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.event import RunEvent
from subscriber import untold
from subscriber.actions import Action, Message, Verb
from subscriber.digests import Line
from subscriber.episodes import Decided, Episode, Says, Seen, decide
from subscriber.message import refresh_failed, refresh_recovered
from subscriber.silences import Silence, silencing
from subscriber.states import Slot, State
from subscriber.telling import of_episode


class Ending(StrEnum):
    DONE = "done"
    FAILED = "failed"
    """It was started, and its vendor says that it did not end well."""
    TIMED_OUT = "timed out"
    LOST = "lost"
    """It was started, and can no longer be asked for."""
    REFUSED = "refused"
    """It could not be started."""


@dataclass(frozen=True)
class End:
    """How a refresh ended. `reason` is for people; `url` is where it can be seen, if anywhere."""

    ending: Ending
    reason: str = ""
    url: str = ""


@dataclass(frozen=True)
class Follows:
    """`state` is what is remembered of this refresh from now on; `lines` are for digests."""

    state: State
    actions: tuple[Action, ...] = ()
    lines: tuple[Line, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)
    """For each who is to hear of it, why they do or do not."""


def key(refresh: Action) -> str:
    """The key of the document in which is remembered how this refresh went lately."""
    account_id = refresh.event.get("account_id", "")
    return f"{account_id}/refresh/{refresh.destination}"


def is_followed_by_nothing(refresh: Action, before: State) -> bool:
    """Whether nobody is to hear of it, however it ended."""
    return not refresh.event or not (refresh.on_failure or before.episodes)


def follows(
    refresh: Action, end: End, before: State, silences: Sequence[Silence], now: datetime
) -> Follows:
    """What follows from the end of `refresh`, where `before` is remembered of those that went
    before it. An end that is told twice, or that of an older run, changes nothing.
    """
    if is_followed_by_nothing(refresh, before):
        return Follows(before)
    ended = _Ended(refresh, end, RunEvent(**refresh.event), before.newest_run, now)
    episodes = dict(before.episodes)
    actions, lines, reasons = [], [], {}
    for name in dict.fromkeys([*refresh.on_failure, *(name for name, _ in before.episodes)]):
        slot = (name, f"refresh/{refresh.destination}")
        episode = episodes.pop(slot, None)
        decided = ended.decided(name, episode)
        silence = ended.silence(name, silences) if decided.verb is Verb.OPEN else None
        if silence is not None:
            lines.append(ended.line(name, silence))
            reasons[name] = f"silenced: {silence.said()}"
            continue
        after, action = ended.told(slot, episode, decided)
        reasons[name] = decided.reason
        if after is not None:
            episodes[slot] = after
        if action is not None:
            actions.append(action)
    newest_run = max(before.newest_run, int(ended.event.run_id))
    state = replace(before, newest_run=newest_run, episodes=episodes)
    return Follows(state, tuple(actions), tuple(lines), reasons)


@dataclass(frozen=True)
class _Ended:
    """A refresh and its end, for each who may hear of it."""

    refresh: Action
    end: End
    event: RunEvent
    newest_run: int
    now: datetime

    def decided(self, name: str, episode: Episode | None) -> Decided:
        run, is_good = int(self.event.run_id), self.end.ending is Ending.DONE
        says = Says.NOTHING
        if is_good:
            says = Says.GOOD
            # one that was replayed closes what it opened itself, of the same run
            episode = episode and replace(episode, latest_run=min(episode.latest_run, run - 1))
        elif name in self.refresh.on_failure:
            says = Says.PROBLEM
        return decide(episode, Seen(run, self.newest_run, says, self.now, is_good_run=is_good))

    def silence(self, name: str, silences: Sequence[Silence]) -> Silence | None:
        return silencing(silences, self.event, name, (), "", self.now)

    def line(self, name: str, silence: Silence) -> Line:
        headline = self._failed.headline
        return untold.while_silenced(self.event.account_id, name, silence, headline, self.now)

    def told(
        self, slot: Slot, episode: Episode | None, decided: Decided
    ) -> tuple[Episode | None, Action | None]:
        """The episode as it is now, and what is told of it."""
        after, verb = decided.episode, decided.verb
        about = after or episode
        if verb is None or about is None:
            return after, None
        message = self._recovered if verb is Verb.CLOSE else self._failed
        message = replace(message, since=about.since.isoformat())
        action = of_episode(self.event, slot, about, verb, message, self.now)
        return after and replace(after, latest_action=action.key), action

    @property
    def _failed(self) -> Message:
        told = self.refresh.message
        return refresh_failed(told, self.refresh.destination, self.end.reason, self.end.url)

    @property
    def _recovered(self) -> Message:
        return refresh_recovered(self.refresh.message, self.refresh.destination, self.end.url)
