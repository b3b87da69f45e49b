"""Wanted: the alerts that rules want of a run, put together by destination and subject. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.destination import Does
from subscriber.diagnosis import Diagnosis
from subscriber.episodes import job_subject, node_subject, run_subject
from subscriber.matching import Verdict
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.states import Slot, State

NODE_EPISODES = 20  # opened by one run at a destination; more are one episode of the job
RUN_EPISODES = 100  # open of one job at a destination; further runs are recorded, not told
EPISODES_LIMIT = 500  # of nodes in one environment; further ones are episodes of their jobs


@dataclass(frozen=True)
class Wanted:
    """What rules want of one subject at one destination, together.

    `alert` is that of the first of `rules`. `diagnosis` holds the nodes that any of them lets
    through. With `by_nodes`, each of them has to recover; else the job as a whole.
    """

    rules: tuple[str, ...]
    alert: Alert
    level: Level
    warnings: bool
    diagnosis: Diagnosis
    by_nodes: bool

    def joined(self, other: "Wanted") -> "Wanted":
        return Wanted(
            rules=(*self.rules, *other.rules),
            alert=self.alert,
            level=self.level,
            warnings=self.warnings or other.warnings,
            diagnosis=self.diagnosis.joined(other.diagnosis),
            by_nodes=self.by_nodes and other.by_nodes,
        )


def wanted(
    configuration: Configuration, event: RunEvent, verdicts: Sequence[Verdict], state: State
) -> Mapping[Slot, Wanted]:
    """What the rules that matched want alerted, by destination and subject."""
    found: dict[Slot, Wanted] = {}
    for verdict in verdicts:
        alert = verdict.rule.alert
        if not verdict.matches or verdict.level is None or alert is None:
            continue
        for destination in verdict.then:
            if configuration.destinations[destination].does is Does.REFRESH:
                continue
            for subject, each in _subjects(
                event, verdict, verdict.level, alert, state, destination
            ):
                slot = (destination, subject)
                found[slot] = found[slot].joined(each) if slot in found else each
    return found


def _subjects(
    event: RunEvent, verdict: Verdict, level: Level, alert: Alert, state: State, destination: str
) -> Iterator[tuple[str, Wanted]]:
    """What a rule alerts of at a destination: the job, each node, or the run."""
    run_id = int(event.run_id)
    # a newer run, whose event came first, has proven these good
    diagnosis = verdict.diagnosis.only(lambda node: state.fixed.get(node.unique_id, 0) <= run_id)
    is_known = verdict.diagnosis.is_known
    if is_known and not diagnosis.is_known:
        return
    rule = verdict.rule
    warnings = "warned" in rule.when.outcome

    def whole(*, by_nodes: bool) -> Wanted:
        return Wanted((rule.name,), alert, level, warnings, diagnosis, by_nodes)

    if alert.per == "run":
        subject = run_subject(event.run_id)
        if (destination, subject) in state.episodes or _runs(state, destination) < RUN_EPISODES:
            yield subject, whole(by_nodes=False)
    elif alert.per == "node" and is_known and _has_room(state, destination, diagnosis):
        for cause in diagnosis.causes:
            only = diagnosis.only(lambda node, wanted=cause.result: node is wanted)  # type: ignore[misc]
            node = Wanted((rule.name,), alert, level, warnings, only, by_nodes=True)
            yield node_subject(cause.result.unique_id), node
    else:
        by_nodes = is_known and (alert.per == "node" or rule.when.nodes is not None)
        yield job_subject(event.job_id), whole(by_nodes=by_nodes)


def _runs(state: State, destination: str) -> int:
    return sum(
        name == destination and subject.startswith(run_subject(""))
        for name, subject in state.episodes
    )


def _has_room(state: State, destination: str, diagnosis: Diagnosis) -> bool:
    slots = ((destination, node_subject(node)) for node in diagnosis.nodes)
    new = sum(slot not in state.episodes for slot in slots)
    known = sum(episode.by_nodes for episode in state.episodes.values())
    return new <= NODE_EPISODES and known + new <= EPISODES_LIMIT
