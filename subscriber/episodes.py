"""Episodes: one problem of one subject at one destination, from its first run to its end. Pure.

A subject is a job (`job/7`), a node (`node/model.shop.orders`) or a single run (`run/100`).

| episode | what the run says | decision |
|---|---|---|
| any  | a run older than the newest one seen of its job | nothing |
| none, held | the problem, `after` not reached yet, or silenced | hold: nobody is told |
| none, held | the problem, `after` reached, not silenced | open |
| open | other nodes, another error, another level | update: new, still, fixed |
| open, told without its nodes | the problem, with its nodes | update |
| open | the same run again, better known | an update, once; never a reminder |
| open | the problem as before, or with nodes not known | nothing, or remind after `remind` |
| open | a change, but silenced | hold: it is behind, until the silence is over |
| open, behind | again as it was told | nothing: it is behind no longer |
| held, open | some of its nodes recovered | held: nothing; open: update |
| held | recovered | forget: nobody was told |
| open | recovered | close; with `auto_close: false` forget, the alert stays |
| held, open, nodes never known | it failed with known nodes of others | held: forget; open: close |
| any  | nothing (cancelled, unknown, no proof of anything) | nothing |

A job recovers by a newer run of its own that ended well. An episode of certain nodes (`by_nodes`)
loses a node by a newer run, of whichever job, that executed it and it was good, and is over with
the last of them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from subscriber.actions import Verb
from subscriber.rules import Alert
from subscriber.run import Level
from subscriber.words import NO_WORDS, Words

ID_LIMIT = 500  # characters of a unique id in a key
OTHERS = "it is known now that other nodes failed"


@dataclass(frozen=True)
class Bad:
    """A node with the problem: the latest run in which it had it, and which error it was.

    `error` is its fingerprint; empty if dbt Cloud did not say.
    """

    run: int
    error: str


@dataclass(frozen=True)
class Episode:
    """`told_at` is None while nobody has been told: the episode is held.

    `nodes` are those with the problem, by unique id; empty while they are not known. `more_nodes`
    counts those beyond what is kept. `runs` counts the runs with the problem. `alert` is what the
    latest rule said, for what happens without one. `warnings`: whether a warning is a problem.
    """

    since: datetime
    latest_run: int
    level: Level
    alert: Alert
    by_nodes: bool = False
    warnings: bool = False
    runs: int = 0
    nodes: Mapping[str, Bad] = field(default_factory=dict)
    more_nodes: int = 0
    opening_run: str = ""
    told_at: datetime | None = None
    tellings: int = 0
    latest_action: str = ""
    """Key of the action that must settle before the next of this episode goes out."""
    refined_run: int = 0
    """The run that was told once more when it was better known."""
    is_behind: bool = False
    """Whether a silence holds back what has changed since it was told last."""
    is_known: bool = True
    """Whether the nodes of its latest run are known."""
    is_told_without_nodes: bool = False
    """Whether they were not when it was told last."""
    told_nodes: Mapping[str, Bad] = field(default_factory=dict)
    told_level: Level | None = None
    """Its nodes and its level as they were told last; only while it is open and behind."""
    timer: str = ""
    """Key of the timer that looks at it; every other one has been overtaken."""
    words: Words = NO_WORDS
    """Of the latest rules: its end is told in them as well, though no rule matches then."""

    @property
    def is_open(self) -> bool:
        return self.told_at is not None


class Says(StrEnum):
    PROBLEM = "problem"
    OTHER = "other"
    """The job failed, with known nodes, none of which this subject is about."""
    GOOD = "good"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Seen:
    """What a run says about one subject, and what a rule makes of it.

    `newest_run` is the newest one of its job seen before. `nodes` are those with the problem that
    the rules let through, with their errors; None when they are not known. `bad` are all that had
    a problem in this run, `proven` those of the episode that were executed and good, or are no
    longer in the project. `is_good_run`: the run as a whole is proof that the job is well.
    `silenced` says by what, empty where nothing holds the telling back.
    """

    run_id: int
    newest_run: int
    says: Says
    at: datetime
    alert: Alert = field(default_factory=Alert)
    level: Level = Level.FAILURE
    by_nodes: bool = False
    warnings: bool = False
    nodes: Mapping[str, str] | None = None
    bad: Collection[str] = frozenset()
    proven: Collection[str] = frozenset()
    is_good_run: bool = False
    silenced: str = ""
    words: Words = NO_WORDS


@dataclass(frozen=True)
class Change:
    """Nodes that came, stayed and went between two states of an episode, by unique id."""

    new: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    is_other: bool = False
    """Whether there is anything to tell: other nodes, another error, another level."""


@dataclass(frozen=True)
class Decided:
    """The episode as it is now (None: it is over), what to tell, and why, for people.

    `held` is the verb that will be told later, unless something else happens before.
    """

    episode: Episode | None
    verb: Verb | None
    reason: str
    change: Change = Change()
    held: Verb | None = None


def decide(episode: Episode | None, seen: Seen) -> Decided:
    """What a run means for one subject at one destination: the table above."""
    if seen.run_id < seen.newest_run:
        return Decided(episode, None, "a newer run of the job has been seen")
    if seen.says is Says.PROBLEM:
        return _problem(episode, seen)
    if seen.says is Says.GOOD and episode is not None:
        return _recovery(episode, seen)
    if seen.says is Says.OTHER and episode is not None and not episode.nodes:
        return _ended(episode, OTHERS)
    return Decided(
        episode, None, "nothing failed and nothing is open" if not episode else "no news"
    )


def passes(episode: Episode, now: datetime, silenced: str) -> Decided:
    """What the passing of time means: what was held goes out, and what is still open is said."""
    if not episode.is_open:
        return _open_or_hold(episode, now, silenced)
    if episode.is_behind and not silenced:
        return Decided(_told(episode, now), Verb.UPDATE, "the silence is over")
    if _is_to_remind(episode, now):
        if silenced:
            return Decided(episode, None, f"silenced: {silenced}", held=Verb.REMIND)
        return Decided(_told(episode, now), Verb.REMIND, "it is still open")
    return Decided(episode, None, "nothing is due", held=Verb.UPDATE if episode.is_behind else None)


def wakes_at(episode: Episode) -> datetime | None:
    """When time alone will change something next; None for never. Silences left aside."""
    if not episode.is_open:
        is_reached = episode.runs >= episode.alert.after.runs
        return _held_until(episode) if is_reached else None
    return _reminds_at(episode)


def _problem(episode: Episode | None, seen: Seen) -> Decided:
    is_again = episode is not None and seen.run_id <= episode.latest_run
    before = episode or Episode(seen.at, 0, seen.level, seen.alert, seen.by_nodes)
    after = _with(before, seen, is_again=is_again)
    if not after.is_open:
        if is_again and seen.nodes is None and before.nodes:
            return Decided(after, None, "held; its nodes were known before")
        return _open_or_hold(after, seen.at, seen.silenced)
    change = _change(_told_last(before), after)
    is_news = change.is_other or (before.is_told_without_nodes and seen.nodes is not None)
    if is_news and not (is_again and before.refined_run == seen.run_id):
        if is_again:
            after = replace(after, refined_run=seen.run_id)
        return _updated(before, after, seen, change, "the problem is another one")
    if not is_again and not seen.silenced and _is_to_remind(after, seen.at):
        return Decided(_told(after, seen.at), Verb.REMIND, "it is still open", change)
    if before.is_behind:
        # it is again as it was told
        after = replace(after, is_behind=False, told_nodes={}, told_level=None)
    return Decided(after, None, "the alert is open already")


def _recovery(episode: Episode, seen: Seen) -> Decided:
    if episode.by_nodes:
        after = replace(episode, nodes=_left(episode, seen))
        change = _change(episode, after)
        if not change.fixed:
            return Decided(after, None, "none of its nodes was proven good")
        if after.nodes or (after.more_nodes and not seen.is_good_run):
            if not after.is_open:
                return Decided(after, None, "some of its nodes recovered before it was told")
            change = _change(_told_last(episode), after)
            return _updated(episode, after, seen, change, "some of its nodes recovered")
    elif not seen.is_good_run:
        return Decided(episode, None, "no proof that the job is well")
    elif seen.run_id <= episode.latest_run:
        return Decided(episode, None, "only a newer run can close the alert")
    return _ended(episode, "it recovered")


def _ended(episode: Episode, reason: str) -> Decided:
    if not episode.is_open:
        return Decided(None, None, f"{reason} before anybody was told")
    if not episode.alert.auto_close:
        return Decided(None, None, f"{reason}; the alert is left open (auto_close: false)")
    return Decided(None, Verb.CLOSE, reason)


def _open_or_hold(episode: Episode, now: datetime, silenced: str) -> Decided:
    after, until = episode.alert.after, _held_until(episode)
    if episode.runs < after.runs:
        return Decided(episode, None, f"held: run {episode.runs} of {after.runs} with the problem")
    if now < until:
        reason = f"held until {until.isoformat(timespec='seconds')}"
        return Decided(episode, None, reason, held=Verb.OPEN)
    if silenced:
        behind = replace(episode, is_behind=True)
        return Decided(behind, None, f"silenced: {silenced}", held=Verb.OPEN)
    opened = replace(_told(episode, now), opening_run=str(episode.latest_run))
    return Decided(opened, Verb.OPEN, "the problem is new")


def _updated(before: Episode, after: Episode, seen: Seen, change: Change, reason: str) -> Decided:
    if seen.silenced:
        told = _told_last(before)
        behind = replace(after, is_behind=True, told_nodes=told.nodes, told_level=told.level)
        return Decided(behind, None, f"silenced: {seen.silenced}", change, held=Verb.UPDATE)
    return Decided(_told(after, seen.at), Verb.UPDATE, reason, change)


def _with(episode: Episode, seen: Seen, *, is_again: bool) -> Episode:
    """`episode` after a run with the problem; a run that comes again does not count twice."""
    nodes = dict(_left(episode, seen))
    for node, error in (seen.nodes or {}).items():
        known = episode.nodes.get(node, Bad(0, ""))
        # another job's newer run may have been bad too
        nodes[node] = Bad(max(seen.run_id, known.run), error or known.error)
    return replace(
        episode,
        runs=episode.runs + (0 if is_again else 1),
        latest_run=max(episode.latest_run, seen.run_id),
        level=seen.level,
        alert=seen.alert,
        words=seen.words,
        warnings=seen.warnings,
        nodes=nodes,
        more_nodes=episode.more_nodes if seen.nodes is None else 0,
        by_nodes=episode.by_nodes and seen.by_nodes,
        is_known=seen.nodes is not None or (is_again and episode.is_known),
    )


def _left(episode: Episode, seen: Seen) -> Mapping[str, Bad]:
    """The episode's nodes but those proven good by a run newer than the one they were bad in."""
    return {
        node: replace(bad, run=max(bad.run, seen.run_id)) if node in seen.bad else bad
        for node, bad in episode.nodes.items()
        if node not in seen.proven or seen.run_id <= bad.run
    }


def _told_last(episode: Episode) -> Episode:
    """An open episode with the nodes and the level that were told last."""
    if not episode.is_behind:
        return episode
    level = episode.told_level or episode.level
    return replace(episode, nodes=episode.told_nodes, level=level)


def _change(before: Episode, after: Episode) -> Change:
    new = tuple(node for node in after.nodes if node not in before.nodes)
    # so many had the problem before, though nobody knows any more which they were
    new = new[max(before.more_nodes - after.more_nodes, 0) :]
    still = tuple(node for node in before.nodes if node in after.nodes)
    fixed = tuple(node for node in before.nodes if node not in after.nodes)
    errors = ((before.nodes[node].error, after.nodes[node].error) for node in still)
    # an error that was not told then or now is no other one
    errs_otherwise = any(then and now and then != now for then, now in errors)
    # where not all are remembered by name, their number says that others came or went
    count = len(before.nodes) + before.more_nodes
    is_another_number = bool(before.more_nodes) and count != len(after.nodes) + after.more_nodes
    is_other = (
        bool(new or fixed) or errs_otherwise or is_another_number or before.level is not after.level
    )
    return Change(new, still, fixed, is_other)


def _told(episode: Episode, now: datetime) -> Episode:
    return replace(
        episode,
        told_at=now,
        tellings=episode.tellings + 1,
        is_behind=False,
        is_told_without_nodes=not episode.is_known,
        told_nodes={},
        told_level=None,
    )


def _held_until(episode: Episode) -> datetime:
    return episode.since + timedelta(minutes=episode.alert.after.minutes)


def _reminds_at(episode: Episode) -> datetime | None:
    if episode.told_at is None or episode.alert.remind is None:
        return None
    return episode.told_at + episode.alert.remind


def _is_to_remind(episode: Episode, now: datetime) -> bool:
    at = _reminds_at(episode)
    return at is not None and at <= now


def job_subject(job_id: str) -> str:
    return f"job/{job_id}"


def node_subject(unique_id: str) -> str:
    """The subject of a node; one with an id that is no id still has a subject of its own."""
    if len(unique_id) <= ID_LIMIT and unique_id.isprintable():
        return f"node/{unique_id}"
    return f"node/sha256-{sha256(unique_id.encode(errors='surrogatepass')).hexdigest()}"


def run_subject(run_id: str) -> str:
    return f"run/{run_id}"


def episode_key(account_id: str, subject: str, opening_run: str) -> str:
    """The key of an episode: the same for all its actions, another for the next one."""
    return f"afterrun/{account_id}/{subject}/{opening_run}"


def action_key(
    account_id: str, destination: str, subject: str, run_id: str, verb: Verb, n: int = 1
) -> str:
    """The key of an action. `run_id` is the opening run of its episode, or the run it is about."""
    return f"{account_id}/{destination}/{subject}/{run_id}/{verb}/{n}"
