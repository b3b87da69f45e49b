"""Consequences: what a run changes in what is remembered, and what is to be told of it. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from subscriber import untold
from subscriber.actions import Action, Message, Verb
from subscriber.alerts import Case, Found, FoundEpisode
from subscriber.destination import Destination, Does
from subscriber.digests import Line
from subscriber.evidence import Evidence
from subscriber.look import TOO_LATE, Look, by
from subscriber.matching import Verdict, judged, overriding, said_by
from subscriber.rules import HEAR_LIMIT
from subscriber.run import Level, Outcome
from subscriber.silences import silencing
from subscriber.states import State, place
from subscriber.timers import Timer
from subscriber.wanted import wanted
from subscriber.words import Words

# of the actions of one decision; beside them are two documents of 800 kB, and the emulator of
# Firestore takes 4 MiB at once
SIZE_LIMIT_BYTES = 2_000_000
WRITES_LIMIT = 400  # Firestore takes 500


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
    is_whole: bool = True
    """False if more follows: write this, and look again at what is remembered then."""


def consequences(look: Look, state: State) -> Consequences:
    """What follows from a run, where `state` is remembered of its job and environment.

    As much of it as one decision may hold; what was decided on before follows no second time.
    """
    verdicts = judged(look.configuration, look.rules, look.event, look.outcome, look.answer)
    everything = [
        *_alerts(look, state, verdicts),
        *_tellings(look, verdicts),
        *_refreshes(look, verdicts),
    ]
    found = _within_a_decision(everything)
    alerts = [each for each in found if isinstance(each, FoundEpisode)]
    return Consequences(
        _after(look, state, alerts),
        actions=tuple(each.action for each in found if each.action),
        timers=tuple(each.timer for each in found if each.timer),
        lines=tuple(each.line for each in found if each.line),
        ended=frozenset(each.ended for each in alerts if each.ended),
        rules=said_by(verdicts),
        reasons=_reasons(found),
        is_whole=len(found) == len(everything),
    )


def _within_a_decision(found: Sequence[Found]) -> Sequence[Found]:
    """The first of `found`: as many as may be written together, and one at the least."""
    size_bytes = writes = 0
    for count, each in enumerate(found):
        held = each.timer.action if each.timer else None
        bodies = [action.body() for action in (each.action, held) if action]
        size_bytes += sum(len(json.dumps(body)) for body in bodies)
        writes += bool(each.action) + bool(each.timer)
        if count and (size_bytes > SIZE_LIMIT_BYTES or writes > WRITES_LIMIT):
            return found[:count]
    return found


def _reasons(found: Sequence[Found]) -> Mapping[str, str]:
    reasons: dict[str, str] = {}
    for each in found:
        told = reasons.get(each.place)
        reasons[each.place] = f"{told}; {each.reason}" if told else each.reason
    return reasons


def _after(look: Look, state: State, alerts: Sequence[FoundEpisode]) -> State:
    """What is remembered from now on: episodes, nodes proven good, the newest run that ended."""
    run_id = int(look.event.run_id)
    episodes, fixed = dict(state.episodes), dict(state.fixed)
    for each in alerts:
        before = episodes.pop(each.slot, None)
        if each.episode is not None:
            episodes[each.slot] = each.episode
        if before is not None and before.by_nodes:
            left = each.episode.nodes if each.episode else {}
            fixed |= {node: run_id for node in before.nodes if node not in left}
            if each.episode is None:
                fixed[place(each.slot)] = before.latest_run
    did_end = look.outcome in (Outcome.FAILED, Outcome.SUCCEEDED)
    newest_run = max(state.newest_run, run_id) if did_end else state.newest_run
    return State(newest_run, episodes, fixed)


def _alerts(look: Look, state: State, verdicts: Sequence[Verdict]) -> Iterator[FoundEpisode]:
    """What becomes of each episode that is wanted, or that this run may end."""
    asked = wanted(look.configuration, look.event, verdicts, state)
    evidence = Evidence.of(look.outcome, look.answer)
    for slot in sorted({*asked, *state.episodes}):
        before, want = state.episodes.get(slot), asked.get(slot)
        if before is None and int(look.event.run_id) <= state.fixed.get(place(slot), 0):
            # its event came once more, after another job's run ended what it had begun
            yield FoundEpisode("/".join(slot), "what this run began is over", slot=slot)
            continue
        found = Case(look, evidence, state.newest_run, slot, before, want).found()
        if found is not None:
            yield found


def _tellings(look: Look, verdicts: Sequence[Verdict]) -> Iterator[Found]:
    """What is told once of this run: what is no problem, and with `alert: false` problems too."""
    asked: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        is_in_an_episode = verdict.level is not None and verdict.rule.alert is not None
        for name in verdict.then if verdict.matches and not is_in_an_episode else ():
            if _is_told(look.configuration.destinations[name], verdict):
                asked.setdefault(name, []).append(verdict)
    for name, asking in sorted(asked.items()):
        told = _told(look, asking)
        nodes = [node for verdict in asking for node in verdict.diagnosis.nodes]
        silence = silencing(look.silences, look.event, name, nodes, "", look.now)
        rules = by([verdict.rule.name for verdict in asking])
        if look.is_late:
            yield Found(
                name, TOO_LATE + rules, line=untold.late(look, name, silence, told.headline)
            )
        elif silence is not None:
            account_id = look.event.account_id
            line = untold.while_silenced(account_id, name, silence, told.headline, look.now)
            yield Found(name, f"silenced: {silence.said()}{rules}", line=line)
        else:
            word = "was cancelled" if look.outcome is Outcome.CANCELLED else look.outcome
            words = reduce(Words.joined, [verdict.rule.words for verdict in asking])
            action = look.telling.once(name, Verb.TELL, told, words)
            yield Found(name, f"the run {word}{rules}", action)


def _is_told(destination: Destination, verdict: Verdict) -> bool:
    is_no_problem = verdict.level is None
    return destination.does is Does.TELL or (
        destination.does is Does.ALERT and is_no_problem and destination.tells_ends()
    )


def _told(look: Look, asking: Sequence[Verdict]) -> Message:
    """The problem, with the nodes of every rule that asks for it; else just how the run ended."""
    problems = [verdict for verdict in asking if verdict.level is not None]
    if not problems:
        return look.telling.end()
    diagnosis = problems[0].diagnosis
    for verdict in problems[1:]:
        diagnosis = diagnosis.joined(verdict.diagnosis)
    return look.telling.problem(diagnosis, problems[0].level or Level.FAILURE)


def _refreshes(look: Look, verdicts: Sequence[Verdict]) -> Iterator[Found]:
    """What is started once of this run: refreshes, and what else shall run after it."""
    asked: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        for name in verdict.then if verdict.matches else ():
            if look.configuration.destinations[name].does.starts:
                asked.setdefault(name, []).append(verdict)
    for name, asking in sorted(asked.items()):
        rules = by([verdict.rule.name for verdict in asking])
        if look.is_late:
            yield Found(name, TOO_LATE + rules)
        else:
            hear = [other for verdict in asking for other in _hear(look, verdict)]
            timeout = max(verdict.rule.refresh.timeout for verdict in asking)
            heard = tuple(dict.fromkeys(hear))[:HEAR_LIMIT]
            action = look.telling.refresh(name, heard, timeout)
            yield Found(name, f"the run {look.outcome}{rules}", action)


def _hear(look: Look, verdict: Verdict) -> Sequence[str]:
    """Who hears of a refresh that does not end well; under an override, whom that one names."""
    asked, override = verdict.rule.refresh.on_failure, overriding(look.configuration, look.event)
    if not asked or override is None:
        return asked
    known = look.configuration.destinations
    return [name for name in override.then if not known[name].does.starts]
