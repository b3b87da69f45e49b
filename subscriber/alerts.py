"""Alerts: what a run does to each episode, one that rules want or one that is open. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from subscriber import timers, untold
from subscriber.actions import Action, Verb
from subscriber.digests import Line
from subscriber.episodes import (
    Decided,
    Episode,
    Says,
    Seen,
    decide,
    episode_key,
    job_subject,
    wakes_at,
)
from subscriber.evidence import Evidence
from subscriber.look import TOO_LATE, Look, by
from subscriber.rules import Alert
from subscriber.run import Level, Outcome
from subscriber.silences import RECHECK, Silence, silencing
from subscriber.states import Slot, State, environment_key, job_key
from subscriber.timers import Timer
from subscriber.wanted import Wanted
from subscriber.words import NO_WORDS


@dataclass(frozen=True)
class Found:
    """What follows at one place: a destination and a subject, or just a destination."""

    place: str
    reason: str
    action: Action | None = None
    timer: Timer | None = None
    line: Line | None = None


@dataclass(frozen=True)
class FoundEpisode(Found):
    """`episode` is what is in `slot` from now on; `ended` the key of the one that is over."""

    slot: Slot = ("", "")
    episode: Episode | None = None
    ended: str = ""


@dataclass(frozen=True)
class Case:
    """One slot, looked at: the episode before, and what rules want there."""

    look: Look
    evidence: Evidence
    newest_run: int
    slot: Slot
    before: Episode | None
    want: Wanted | None

    def found(self) -> FoundEpisode | None:
        """What follows; None if nothing changes and nobody has asked."""
        if self.want and self.look.is_late:
            return self._late(self.want)
        decided = decide(self.before, self._seen)
        if not self.want and decided.episode is self.before:
            return None
        reason = decided.reason + (by(self.want.rules) if self.want else "")
        found = FoundEpisode(self._place, reason, slot=self.slot, episode=decided.episode)
        if decided.episode is None:
            return self._over(found, decided, self.before) if self.before else found
        return self._going_on(found, decided, decided.episode)

    @property
    def _seen(self) -> Seen:
        """What the run says about the subject, wanted or not."""
        want, before, evidence = self.want, self.before, self.evidence
        warnings = want.warnings if want else bool(before and before.warnings)
        nodes = before.nodes if before else {}
        is_well = evidence.is_well(warnings=warnings)
        by_nodes = before.by_nodes if before else True
        by_nodes = by_nodes and (want.by_nodes if want else before is not None)
        if want:
            says = Says.PROBLEM
        elif evidence.is_of_an_end and (is_well or by_nodes):
            says = Says.GOOD
        elif self._is_of_the_job and evidence.fails_by_known_nodes:
            says = Says.OTHER
        else:
            says = Says.NOTHING
        silence = self._silence
        return Seen(
            run_id=int(self.look.event.run_id),
            newest_run=self.newest_run,
            says=says,
            at=self.look.now,
            alert=want.alert if want else Alert(),
            level=want.level if want else Level.FAILURE,
            by_nodes=by_nodes,
            warnings=warnings,
            nodes=want.diagnosis.nodes if want and want.diagnosis.is_known else None,
            bad=evidence.bad(nodes, warnings=warnings),
            proven=evidence.good(nodes, warnings=warnings),
            is_good_run=is_well,
            silenced=silence.said() if silence else "",
            words=want.words if want else NO_WORDS,
        )

    def _late(self, want: Wanted) -> FoundEpisode:
        """A line, if this problem would have been told had it come in time; the episode stays."""
        # as if it had come when its run ended: before those that are newer, and unsilenced
        in_time = decide(self.before, replace(self._seen, newest_run=0, silenced=""))
        line, reason = None, in_time.reason
        if in_time.verb is not None:
            headline = self.look.telling.problem(want.diagnosis, want.level).headline
            line = untold.late(self.look, self.slot[0], self._silence, headline)
            reason = TOO_LATE
        return FoundEpisode(
            self._place, reason + by(want.rules), line=line, slot=self.slot, episode=self.before
        )

    def _over(self, found: FoundEpisode, decided: Decided, before: Episode) -> FoundEpisode:
        """The episode is closed, or nobody was ever told of it."""
        found = replace(found, ended=self._key)
        if decided.verb is Verb.CLOSE:
            closing = self.look.telling.of_recovery(self.slot, before, Verb.CLOSE, decided)
            return replace(found, action=closing)
        return replace(found, line=untold.recovered(self.look, self.slot, before, self._silence))

    def _going_on(self, found: FoundEpisode, decided: Decided, after: Episode) -> FoundEpisode:
        """The episode is told, or held; and looked at again when time alone may change it."""
        action = self._telling(decided, after)
        if decided.verb is None or action is None:
            timer = self._timer(after, action)
            return replace(found, episode=_looked_at(after, timer), timer=timer)
        after = replace(after, latest_action=action.key)
        timer = self._timer(after, None)
        return replace(found, episode=_looked_at(after, timer), action=action, timer=timer)

    def _telling(self, decided: Decided, after: Episode) -> Action | None:
        """What is told now, or will be if it is held."""
        verb, telling = decided.verb or decided.held, self.look.telling
        if verb is None:
            return None
        told = after if decided.verb else replace(after, tellings=after.tellings + 1)
        if self.want:
            return telling.of_problem(self.slot, told, verb, decided, self.want)
        return telling.of_recovery(self.slot, told, verb, replace(decided, episode=told))

    def _timer(self, episode: Episode, held: Action | None) -> Timer | None:
        """When to look at the episode again; None if what looks at it already is still right, or
        only another run can change it.
        """
        look, silence = self.look, self._silence
        is_held = not episode.is_open or episode.is_behind
        if is_held and held is None:
            return None
        at = wakes_at(episode)
        if is_held and silence and (episode.is_open or at is None or at <= look.now):
            at = min(silence.ends_at, look.now + RECHECK)
        if at is None:
            return None
        subjects = (job_key(look.event), environment_key(look.event))
        timer = timers.of_episode(subjects, look.event, self.slot, episode, at, held)
        return None if timer.key == episode.timer else timer

    @cached_property
    def _silence(self) -> Silence | None:
        nodes = self.want.diagnosis.nodes if self.want else self.before.nodes if self.before else {}
        look = self.look
        return silencing(look.silences, look.event, self.slot[0], nodes, self._key, look.now)

    @property
    def _key(self) -> str:
        if self.before is None or not self.before.is_open:
            return ""
        return episode_key(self.look.event.account_id, self.slot[1], self.before.opening_run)

    @property
    def _place(self) -> str:
        destination, subject = self.slot
        return destination if self._is_of_the_job else f"{destination} {subject}"

    @property
    def _is_of_the_job(self) -> bool:
        return self.slot[1] == job_subject(self.look.event.job_id)


def touched(look: Look, state: State) -> Iterator[tuple[Slot, Episode]]:
    """The open episodes that the run has something to say about."""
    known = {result.unique_id for result in look.answer.results} | look.answer.gone
    for slot, episode in state.episodes.items():
        is_ours = slot[1] == job_subject(look.event.job_id)
        ends_all = look.outcome is Outcome.SUCCEEDED and not episode.by_nodes
        if episode.is_open and (is_ours or ends_all or not known.isdisjoint(episode.nodes)):
            yield slot, episode


def _looked_at(episode: Episode, timer: Timer | None) -> Episode:
    """`episode`, at which `timer` looks from now on; without one it stays with what it has."""
    return replace(episode, timer=timer.key) if timer else episode
