"""Consequences: what a run changes in what is remembered, and what is to be told of it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.event import RunEvent
from subscriber import message, timers
from subscriber.actions import Action, Verb
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.digests import Line
from subscriber.episodes import (
    Decided,
    Episode,
    Says,
    Seen,
    decide,
    episode_key,
    job_subject,
    passes,
    wakes_at,
)
from subscriber.evidence import Evidence
from subscriber.matching import Verdict, judged, said_by
from subscriber.rules import Alert, Rule
from subscriber.run import Answer, Level, Outcome
from subscriber.silences import RECHECK, Silence, silencing
from subscriber.states import Slot, State, environment_key, job_key
from subscriber.telling import Telling
from subscriber.timers import Timer
from subscriber.wanted import Wanted, wanted

TOO_LATE = "too late: a newer run of the job exists"
LATE_DIGEST = timedelta(minutes=5)  # from the first late event to the line that tells of all


@dataclass(frozen=True)
class Consequences:
    """`rules` and `reasons` say for each rule and each place, for people, why or why not."""

    state: State
    actions: tuple[Action, ...] = ()
    timers: tuple[Timer, ...] = ()
    lines: tuple[Line, ...] = ()
    ended: frozenset[str] = frozenset()
    """Keys of the episodes that are over."""
    rules: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """A run to look at. `answer` is what dbt Cloud said, empty where nothing needs it.

    `rules` are those that the event may match by now. `silences` are all there are. `is_late`: the
    event came after `max_event_age` and a newer run of its job exists; then it opens and refreshes
    nothing, but still closes.
    """

    configuration: Configuration
    rules: Sequence[Rule]
    event: RunEvent
    outcome: Outcome
    answer: Answer
    silences: Sequence[Silence]
    now: datetime
    is_late: bool = False


def consequences(look: Look, state: State) -> Consequences:
    """What follows from a run, where `state` is remembered of its job and environment."""
    run_id = int(look.event.run_id)
    verdicts = judged(look.configuration, look.rules, look.event, look.outcome, look.answer)
    alerts = list(_alerts(look, state, verdicts))
    found = [*alerts, *_tellings(look, verdicts), *_refreshes(look, verdicts)]
    episodes, fixed = dict(state.episodes), dict(state.fixed)
    for each in alerts:
        before = episodes.pop(each.slot, None)
        if each.episode is not None:
            episodes[each.slot] = each.episode
        if before is not None and before.by_nodes:
            left = each.episode.nodes if each.episode else {}
            fixed |= {node: run_id for node in before.nodes if node not in left}
    did_end = look.outcome in (Outcome.FAILED, Outcome.SUCCEEDED)
    return Consequences(
        State(max(state.newest_run, run_id) if did_end else state.newest_run, episodes, fixed),
        actions=tuple(each.action for each in found if each.action),
        timers=tuple(each.timer for each in found if each.timer),
        lines=tuple(each.line for each in found if each.line),
        ended=frozenset(each.ended for each in alerts if each.ended),
        rules=said_by(verdicts),
        reasons={each.place: each.reason for each in found},
    )


def touched(look: Look, state: State) -> Iterator[tuple[Slot, Episode]]:
    """The open episodes that the run has something to say about."""
    known = {result.unique_id for result in look.answer.results} | look.answer.gone
    for slot, episode in state.episodes.items():
        is_ours = slot[1] == job_subject(look.event.job_id)
        ends_all = look.outcome is Outcome.SUCCEEDED and not episode.by_nodes
        if episode.is_open and (is_ours or ends_all or not known.isdisjoint(episode.nodes)):
            yield slot, episode


@dataclass(frozen=True)
class _Found:
    """What follows at one place: a destination, and a subject unless it is the job."""

    place: str
    reason: str
    action: Action | None = None
    timer: Timer | None = None
    line: Line | None = None


@dataclass(frozen=True)
class _FoundAlert(_Found):
    slot: Slot = ("", "")
    episode: Episode | None = None
    ended: str = ""


def _alerts(look: Look, state: State, verdicts: Sequence[Verdict]) -> Iterator[_FoundAlert]:
    """What becomes of each episode that is wanted, or that this run may end."""
    asked = wanted(look.configuration, look.event, verdicts, state)
    evidence = Evidence.of(look.outcome, look.answer)
    for slot in sorted({*asked, *state.episodes}):
        episode, want = state.episodes.get(slot), asked.get(slot)
        nodes = want.diagnosis.nodes if want else episode.nodes if episode else {}
        key = _key(look.event, slot, episode) if episode else ""
        silence = silencing(look.silences, look.event, slot[0], nodes, key, look.now)
        seen = _seen(look, state, evidence, episode, want, silence)
        if want and look.is_late:
            yield _late_alert(look, slot, episode, want, seen, silence)
            continue
        decided = decide(episode, seen)
        if want or decided.episode is not episode:
            yield _alert(look, slot, episode, want, decided, silence)


def _seen(
    look: Look,
    state: State,
    evidence: Evidence,
    episode: Episode | None,
    want: Wanted | None,
    silence: Silence | None,
) -> Seen:
    """What the run says about the subject of an episode, wanted or not."""
    warnings = want.warnings if want else bool(episode and episode.warnings)
    nodes = episode.nodes if episode else {}
    is_well = evidence.is_well(warnings=warnings)
    by_nodes = episode.by_nodes if episode else bool(want and want.by_nodes)
    if want:
        says = Says.PROBLEM
    elif evidence.is_of_an_end and (is_well or by_nodes):
        says = Says.GOOD
    else:
        says = Says.NOTHING
    diagnosis = want.diagnosis if want else None
    return Seen(
        run_id=int(look.event.run_id),
        newest_run=state.newest_run,
        says=says,
        at=look.now,
        alert=want.alert if want else Alert(),
        level=want.level if want else Level.FAILURE,
        by_nodes=by_nodes,
        warnings=warnings,
        nodes=diagnosis.nodes if diagnosis and diagnosis.is_known else None,
        bad=evidence.bad(nodes, warnings=warnings),
        proven=evidence.good(nodes, warnings=warnings),
        is_good_run=is_well,
        silenced=silence.said() if silence else "",
    )


def _alert(
    look: Look,
    slot: Slot,
    before: Episode | None,
    want: Wanted | None,
    decided: Decided,
    silence: Silence | None,
) -> _FoundAlert:
    """The action, the timer or the line that goes with what was decided for a slot."""
    telling = Telling(look.configuration, look.event, look.outcome, look.answer, look.now)
    after, verb = decided.episode, decided.verb or decided.held
    reason = decided.reason + (_by(want.rules) if want else "")
    found = _FoundAlert(_place(look.event, slot), reason, slot=slot, episode=after)
    if after is None:
        return _over(look, slot, before, decided, telling, silence, found) if before else found
    action: Action | None = None
    if verb is not None:
        told = after if decided.verb else replace(after, tellings=after.tellings + 1)
        action = (
            telling.of_problem(slot, told, verb, decided, want)
            if want
            else telling.of_recovery(slot, told, verb, replace(decided, episode=told))
        )
    if decided.verb is None or action is None:
        timer = _timer(look, slot, after, action, silence)
        return replace(found, episode=_looked_at(after, timer), timer=timer)
    after = replace(after, latest_action=action.key)
    timer = _timer(look, slot, after, None, silence)
    return replace(found, episode=_looked_at(after, timer), action=action, timer=timer)


def _late_alert(
    look: Look,
    slot: Slot,
    episode: Episode | None,
    want: Wanted,
    seen: Seen,
    silence: Silence | None,
) -> _FoundAlert:
    """A line, if this problem would have been told had it come in time; the episode stays."""
    in_time = decide(episode, replace(seen, silenced=""))
    line = None
    reason = in_time.reason
    if in_time.verb is not None:
        telling = Telling(look.configuration, look.event, look.outcome, look.answer, look.now)
        headline = telling.problem(want.diagnosis, want.level).headline
        line, reason = _late(look, slot[0], silence, headline), TOO_LATE
    place = _place(look.event, slot)
    return _FoundAlert(place, reason + _by(want.rules), line=line, slot=slot, episode=episode)


def _looked_at(episode: Episode, timer: Timer | None) -> Episode:
    """`episode`, at which `timer` looks from now on; without one it stays with what it has."""
    return replace(episode, timer=timer.key) if timer else episode


def _over(
    look: Look,
    slot: Slot,
    before: Episode,
    decided: Decided,
    telling: Telling,
    silence: Silence | None,
    found: _FoundAlert,
) -> _FoundAlert:
    """What goes with the end of an episode: it is closed, or was never told."""
    found = replace(found, ended=_key(look.event, slot, before))
    if decided.verb is Verb.CLOSE:
        return replace(found, action=telling.of_recovery(slot, before, Verb.CLOSE, decided))
    return replace(found, line=_held_back(look, slot, before, telling, silence))


def _timer(
    look: Look, slot: Slot, episode: Episode, action: Action | None, silence: Silence | None
) -> Timer | None:
    """When to look at the episode again; None if what looks at it already is still right, or only
    another run can change it.
    """
    is_held = not episode.is_open or episode.is_behind
    if is_held and action is None:
        return None
    at = wakes_at(episode)
    if is_held and silence is not None and (episode.is_open or at is None or at <= look.now):
        at = min(silence.ends_at, look.now + RECHECK)
    if at is None:
        return None
    subjects = (job_key(look.event), environment_key(look.event))
    return timers.of_episode(subjects, look.event, slot, episode, at, action)


def _tellings(look: Look, verdicts: Sequence[Verdict]) -> Iterator[_Found]:
    """What is told once of this run: what is no problem, and with `alert: false` problems too."""
    asked: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        is_in_an_episode = verdict.level is not None and verdict.rule.alert is not None
        for name in verdict.then if verdict.matches and not is_in_an_episode else ():
            if look.configuration.destinations[name].does is Does.TELL:
                asked.setdefault(name, []).append(verdict)
    telling = Telling(look.configuration, look.event, look.outcome, look.answer, look.now)
    for name, asking in sorted(asked.items()):
        problems = [verdict for verdict in asking if verdict.level is not None]
        told = telling.end()
        if problems:
            diagnosis = problems[0].diagnosis
            for verdict in problems[1:]:
                diagnosis = diagnosis.joined(verdict.diagnosis)
            told = telling.problem(diagnosis, problems[0].level or Level.FAILURE)
        nodes = [node for verdict in problems for node in verdict.diagnosis.nodes]
        silence = silencing(look.silences, look.event, name, nodes, "", look.now)
        rules = _by([verdict.rule.name for verdict in asking])
        if look.is_late:
            yield _Found(name, TOO_LATE + rules, line=_late(look, name, silence, told.headline))
        elif silence is not None:
            line = _while_silenced(look, name, silence, told.headline)
            yield _Found(name, f"silenced: {silence.said()}{rules}", line=line)
        else:
            action = telling.once(name, Verb.TELL, told)
            yield _Found(name, f"the run {_word(look.outcome)}{rules}", action)


def _refreshes(look: Look, verdicts: Sequence[Verdict]) -> Iterator[_Found]:
    asked: dict[str, list[str]] = {}
    for verdict in verdicts:
        for name in verdict.then if verdict.matches else ():
            if look.configuration.destinations[name].does is Does.REFRESH:
                asked.setdefault(name, []).append(verdict.rule.name)
    telling = Telling(look.configuration, look.event, look.outcome, look.answer, look.now)
    for name, rules in sorted(asked.items()):
        if look.is_late:
            yield _Found(name, TOO_LATE + _by(rules))
        else:
            action = telling.once(name, Verb.REFRESH, telling.end())
            yield _Found(name, "the run succeeded" + _by(rules), action)


def _late(look: Look, destination: str, silence: Silence | None, headline: str) -> Line:
    text = f"run {look.event.run_id}: {headline}"
    if silence is not None:
        return _while_silenced(look, destination, silence, text)
    return Line(
        key=f"{look.event.account_id}/digest/late/{destination}",
        destination=destination,
        title="Events that came too late to be told one by one",
        text=text,
        due_at=look.now + LATE_DIGEST,
    )


def _held_back(
    look: Look, slot: Slot, episode: Episode, telling: Telling, silence: Silence | None
) -> Line | None:
    """The line for a problem of which only a silence kept people from hearing; else None."""
    if episode.is_open:
        return None
    would_be_told = silence is not None and passes(episode, look.now, "").verb is not None
    if not (episode.is_behind or would_be_told):
        return None
    bad = "1 bad run" if episode.runs == 1 else f"{episode.runs} bad runs"
    recovered = message.recovered(look.event, telling.link, episode, slot[1], "").headline
    return _while_silenced(look, slot[0], silence, f"{recovered} after {bad}")


def _while_silenced(look: Look, destination: str, silence: Silence | None, text: str) -> Line:
    """Without a silence, it has just ended: the line is told as soon as a tick comes."""
    id_ = silence.id if silence else ""
    return Line(
        key=f"{look.event.account_id}/digest/silence/{id_}/{destination}",
        destination=destination,
        title=f"While silenced {silence.said()}" if silence else "While it was silenced",
        text=text,
        due_at=silence.ends_at if silence else look.now,
        silence=id_,
    )


def _key(event: RunEvent, slot: Slot, episode: Episode) -> str:
    return episode_key(event.account_id, slot[1], episode.opening_run) if episode.is_open else ""


def _place(event: RunEvent, slot: Slot) -> str:
    destination, subject = slot
    return destination if subject == job_subject(event.job_id) else f"{destination} {subject}"


def _by(rules: Iterable[str]) -> str:
    return f" (rule: {', '.join(rules)})"


def _word(outcome: Outcome) -> str:
    return "was cancelled" if outcome is Outcome.CANCELLED else str(outcome)
