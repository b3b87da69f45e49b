"""Wanted: the alerts that rules want of a run, put together by destination and subject. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.event import RunEvent
from subscriber.configuration import Configuration
from subscriber.diagnosis import Diagnosis
from subscriber.episodes import job_subject, node_subject, run_subject
from subscriber.matching import Verdict
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.states import Slot, State
from subscriber.words import NO_WORDS, Words

NODE_EPISODES = 20  # opened by one run at a destination; more are one episode of the job
RUN_EPISODES = 100  # open of one job at a destination; further runs are recorded, not told
EPISODES_LIMIT = 500  # of nodes in one environment; further ones are episodes of their jobs
BY_NODES_LIMIT = 600  # kept in the environment's document; further ones end with their job's run


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
    words: Words = NO_WORDS

    def joined(self, other: "Wanted") -> "Wanted":
        return Wanted(
            rules=(*self.rules, *other.rules),
            alert=self.alert,
            level=self.level,
            warnings=self.warnings or other.warnings,
            diagnosis=_together(self.diagnosis, other.diagnosis),
            by_nodes=self.by_nodes and other.by_nodes,
            words=self.words.joined(other.words),
        )


def _together(one: Diagnosis, other: Diagnosis) -> Diagnosis:
    """Two parts of one diagnosis; the larger as it is, with what belongs to no node, if it is all.

    It may be the whole, whose log and skipped nodes a union of causes would not have.
    """
    smaller, larger = sorted((one, other), key=lambda each: (len(each.nodes), len(each.text)))
    return larger if smaller.nodes.keys() <= larger.nodes.keys() else one.joined(other)


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
            if configuration.destinations[destination].does.starts:
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
    """What a rule alerts of at a destination: the job, each node, or the run.

    Where there would be too many alerts of nodes or of runs, it is the job's; so too where its
    nodes are a guess.
    """
    rule, whole = verdict.rule, verdict.diagnosis
    job = job_subject(event.job_id)

    def of(diagnosis: Diagnosis, *, by_nodes: bool = False) -> Wanted:
        warnings = "warned" in rule.when.outcome
        return Wanted((rule.name,), alert, level, warnings, diagnosis, by_nodes, rule.words)

    if alert.per == "run":
        subject = run_subject(event.run_id)
        has_room = (destination, subject) in state.episodes or _runs(state, destination) < (
            RUN_EPISODES
        )
        yield subject if has_room else job, of(whole)
    elif not whole.is_known or (alert.per == "job" and rule.when.nodes is None):
        yield job, of(whole)
    else:
        diagnosis = _not_fixed(whole, state, int(event.run_id))
        alone: set[str] = set()
        if alert.per == "node":
            told = _told_elsewhere(state, destination, job)
            diagnosis = _only(diagnosis, diagnosis.nodes.keys() - told)
            may_open = not verdict.is_guess
            alone = _alone(diagnosis, state, destination, job, may_open=may_open)
        for node in sorted(alone):
            yield node_subject(node), of(_only(diagnosis, {node}), by_nodes=True)
        rest = _only(diagnosis, diagnosis.nodes.keys() - alone)
        if rest.is_known:
            kept = sum(episode.by_nodes for episode in state.episodes.values())
            is_kept = (destination, job) in state.episodes or kept < BY_NODES_LIMIT
            yield job, of(rest, by_nodes=is_kept)


def _not_fixed(diagnosis: Diagnosis, state: State, run_id: int) -> Diagnosis:
    """Without the nodes that a newer run, whose event came first, has proven good."""
    fixed = {node for node in diagnosis.nodes if state.fixed.get(node, 0) > run_id}
    return _only(diagnosis, diagnosis.nodes.keys() - fixed)


def _only(diagnosis: Diagnosis, nodes: Collection[str]) -> Diagnosis:
    """`diagnosis` with these nodes; itself, with all that belongs to no node, if that is all."""
    if len(nodes) == len(diagnosis.nodes):
        return diagnosis
    return diagnosis.only(lambda node: node.unique_id in nodes)


def _alone(
    diagnosis: Diagnosis, state: State, destination: str, job: str, *, may_open: bool
) -> set[str]:
    """The nodes that have an alert of their own; those in the job's stay there until it ends."""
    alone = {
        node for node in diagnosis.nodes if (destination, node_subject(node)) in state.episodes
    }
    together = state.episodes.get((destination, job))
    kept = together.nodes.keys() if together is not None and together.by_nodes else set()
    new = diagnosis.nodes.keys() - alone - kept
    known = sum(episode.by_nodes for episode in state.episodes.values())
    has_room = len(new) <= NODE_EPISODES and known + len(new) <= EPISODES_LIMIT
    return alone | new if may_open and has_room else alone


def _told_elsewhere(state: State, destination: str, job: str) -> set[str]:
    """Nodes that are in the open alert of another job, for which there were too many at once."""
    return {
        node
        for (name, subject), episode in state.episodes.items()
        if name == destination and episode.is_open and episode.by_nodes
        if subject.startswith(job_subject("")) and subject != job
        for node in episode.nodes
        if (destination, node_subject(node)) not in state.episodes
    }


def _runs(state: State, destination: str) -> int:
    return sum(
        name == destination and subject.startswith(run_subject(""))
        for name, subject in state.episodes
    )
