"""Telling: the actions by which destinations hear of a run, with their keys and messages. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.event import RunEvent
from subscriber import message, owners
from subscriber.actions import Action, Message, Verb
from subscriber.configuration import Configuration
from subscriber.diagnosis import Diagnosis
from subscriber.episodes import Decided, Episode, action_key, episode_key, job_subject
from subscriber.run import Answer, Level, Outcome
from subscriber.states import Slot
from subscriber.wanted import Wanted
from subscriber.wording import worded
from subscriber.words import NO_WORDS, Words

LINK_LIMIT = 2_000  # characters
OWNERS_LIMIT = 10  # are called to a problem


@dataclass(frozen=True)
class Telling:
    """What can be told of one run; nothing of it is told twice under another key."""

    configuration: Configuration
    event: RunEvent
    outcome: Outcome
    answer: Answer
    now: datetime

    def of_problem(
        self, slot: Slot, episode: Episode, verb: Verb, decided: Decided, wanted: Wanted
    ) -> Action:
        """An open, an update or a reminder of `episode`, as it is once that has been told."""
        told = self.problem(wanted.diagnosis, wanted.level)
        if verb is Verb.UPDATE:
            told = message.updated(told, self.event, episode, decided.change)
        elif verb is Verb.REMIND:
            told = message.reminded(told, episode, self.now)
        told = replace(told, since=episode.since.isoformat())
        owner, owners = self._owners(wanted.diagnosis)
        action = of_episode(self.event, slot, episode, verb, told, self._occurred_at)
        return replace(action, owner=owner, owners=owners)

    def of_recovery(self, slot: Slot, episode: Episode, verb: Verb, decided: Decided) -> Action:
        """A close, or an update that some of the nodes recovered."""
        gone = sorted(set(episode.nodes) & self.answer.gone)
        reason = f"No longer in the project: {', '.join(gone[:10])}" if gone else ""
        told = message.recovered(self.event, self.link, episode, slot[1], reason)
        told = replace(told, job_link=self.job_link)
        if verb is Verb.UPDATE and decided.episode is not None:
            told = message.partly_recovered(told, decided.episode, decided.change)
        elif self.outcome is Outcome.FAILED and not episode.by_nodes:
            told = message.others_failed(told, self.event, decided.reason)
        return of_episode(
            self.event, slot, decided.episode or episode, verb, told, self._occurred_at
        )

    def once(self, destination: str, verb: Verb, told: Message, words: Words = NO_WORDS) -> Action:
        """What is told or refreshed once for the run, by itself."""
        event = self.event
        subject = job_subject(event.job_id)
        # a run that is told to have started is told to have ended as well
        about = f"{event.run_id}/{self.outcome}" if verb is Verb.TELL else event.run_id
        key = action_key(event.account_id, destination, subject, about, verb)
        told = worded(told, verb, words)
        return Action(key, destination, verb, key, told, self._occurred_at)

    def refresh(self, destination: str, hear: tuple[str, ...], timeout: timedelta) -> Action:
        """A refresh, or whatever else is started once after the run; `hear` if it fails."""
        action = self.once(destination, Verb.REFRESH, self.end())
        event = vars(replace(self.event, occurred_at=None, finished_at=None))
        timeout_s = int(timeout.total_seconds())
        return replace(action, on_failure=hear, timeout_s=timeout_s, event=event)

    def problem(self, diagnosis: Diagnosis, level: Level) -> Message:
        told = message.problem(self.event, self.answer, diagnosis, self.link, level)
        return replace(told, job_link=self.job_link)

    def end(self) -> Message:
        told = message.ended(self.event, self.outcome, self.answer, self.link)
        return replace(told, job_link=self.job_link)

    @property
    def link(self) -> str:
        """The run in dbt Cloud's own pages, as the API says or as such links are made."""
        link = self.answer.run.link if self.answer.run else ""
        if link.startswith(("https://", "http://")) and len(link) <= LINK_LIMIT:
            return link
        return self._page("runs", self.event.run_id)

    @property
    def job_link(self) -> str:
        return self._page("jobs", self.event.job_id)

    def _page(self, of: str, id_: str) -> str:
        return page_of(self.event, self.configuration.dbt_cloud.host, of, id_)

    @property
    def _occurred_at(self) -> datetime:
        return self.event.finished_at or self.event.occurred_at or self.now

    def _owners(self, diagnosis: Diagnosis) -> tuple[str, tuple[str, ...]]:
        """Whose all of these nodes are, if they are one owner's, and whose any are; as the owner
        map has their names.
        """
        known = self.configuration.owners
        found = dict.fromkeys(
            owners.name_of(known, cause.result.owner_email, cause.result.owner)
            for cause in diagnosis.causes
        )
        named = tuple(name for name in found if name)
        return named[0] if named and len(found) == 1 else "", named[:OWNERS_LIMIT]


def page_of(event: RunEvent, host: str, of: str, id_: str) -> str:
    """The page of a run or a job as dbt Cloud's own links are made; empty if that is not known."""
    if not event.project_id:
        return ""
    return f"https://{host}/deploy/{event.account_id}/projects/{event.project_id}/{of}/{id_}"


def of_episode(
    event: RunEvent,
    slot: Slot,
    episode: Episode,
    verb: Verb,
    told: Message,
    occurred_at: datetime,
) -> Action:
    """The action that tells `told` of an episode, after all that was told of it before.

    `told` is finished but for the words of the episode's rules, which are put over it here.
    """
    destination, subject = slot
    opening_run = episode.opening_run or str(episode.latest_run)
    n = 1 if verb in (Verb.OPEN, Verb.CLOSE) else max(episode.tellings - 1, 1)
    return Action(
        key=action_key(event.account_id, destination, subject, opening_run, verb, n),
        destination=destination,
        verb=verb,
        episode_key=episode_key(event.account_id, subject, opening_run),
        message=worded(told, verb, episode.words, episode),
        occurred_at=occurred_at,
        after=episode.latest_action or None,
    )
