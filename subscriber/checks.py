"""Checks: what is wrong with rules though every key of them is right. Pure."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.event import RunEvent
from subscriber.destination import Destination, Does
from subscriber.patterns import NAME, NOT, Patterns
from subscriber.rules import PROBLEMS, Override, Rule, RuleEvent, RuleOutcome
from subscriber.yaml_lines import Lines, Path

SIMILAR = 0.75  # of 1, how alike a pattern and a name must be for one to be taken for the other

# what each kind of kinds acts on; a rule that asks it for anything else would never do anything
_ACTS_ON: Mapping[Does, tuple[RuleOutcome, ...]] = {
    Does.ALERT: ("failed", "warned"),
    Does.TELL: ("failed", "warned", "succeeded", "clean", "started", "cancelled"),
    Does.REFRESH: ("succeeded", "clean", "warned"),
}
_WHY = {
    Does.ALERT: "opens an alert for a problem and closes it when it is over",
    Does.TELL: "tells people",
    Does.REFRESH: "refreshes on good data only",
}
_TOLD_BY: Mapping[RuleEvent, frozenset[RuleOutcome]] = {
    "started": frozenset({"started"}),
    "errored": frozenset({"failed"}),
    "completed": frozenset({"failed", "succeeded", "warned", "clean", "cancelled"}),
}


def mistakes(
    rules: Sequence[Rule],
    overrides: Sequence[Override],
    found: Mapping[str, Destination],
    accounts: Iterable[int],
    lines: Lines,
) -> list[str]:
    """Rules that can never match or do anything, and names that nothing bears."""
    told: list[str] = []
    names: set[str] = set()
    known_accounts = {str(account) for account in accounts}
    for index, rule in enumerate(rules):
        place: Path = ("rules", index)
        if rule.name in names:
            told.append(lines.at((*place, "name"), "another rule has this name"))
        names.add(rule.name)
        told += _unknown(rule.then, place, lines)
        told += [lines.at((*place, *path), why) for path, why in _never(rule, known_accounts)]
        for name in rule.then:
            if name in found:
                told += _idle(rule, name, found[name].does, place, lines)
        does = {found[name].does for name in rule.then if name in found}
        if "alert" in rule.model_fields_set and does == {Does.REFRESH}:
            told.append(lines.at((*place, "alert"), "none of its destinations alerts or tells"))
    for index, override in enumerate(overrides):
        place = ("overrides", index)
        told += _unknown(override.then, place, lines)
        if override.environment.matches_nothing:
            told.append(lines.at((*place, "environment"), "this can never match"))
    return told


def _unknown(then: Sequence[str], place: Path, lines: Lines) -> Iterator[str]:
    known = lines.names(("destinations",))
    for position, name in enumerate(then):
        if name not in known:
            hint = did_you_mean(name, known)
            yield lines.at((*place, "then", position), f"no destination bears this name{hint}")


def _never(rule: Rule, accounts: set[str]) -> Iterator[tuple[Path, str]]:
    when = rule.when
    for key in ("account", "project", "environment", "job", "trigger"):
        patterns = getattr(when, key)
        if patterns is not None and patterns.matches_nothing:
            yield ("when", key), "this can never match: what it asks for, it leaves out as well"
    for key in type(when.nodes).model_fields if when.nodes else ():
        patterns = getattr(when.nodes, key)
        if patterns is not None and patterns.matches_nothing:
            yield ("when", "nodes", key), "this can never match: it leaves out what it asks for"
    if when.account and accounts and not any(when.account.match(id=each) for each in accounts):
        yield ("when", "account"), "this can never match: it is none of `dbt_cloud: accounts`"
    for outcome in when.outcome:
        if when.event and not any(outcome in _TOLD_BY[event] for event in when.event):
            events = " nor ".join(f"`{event}`" for event in when.event)
            yield ("when", "event"), f"this can never match: neither {events} tells of {outcome}"
    if when.nodes is not None and (others := set(when.outcome) - PROBLEMS):
        asked = ", ".join(sorted(others))
        yield ("when", "nodes"), f"nodes are looked at when a run failed or warned, not {asked}"


def _idle(rule: Rule, name: str, does: Does, place: Path, lines: Lines) -> Iterator[str]:
    acts_on = _ACTS_ON[does]
    for outcome in rule.when.outcome:
        if outcome not in acts_on:
            what = f"it has nothing to do when a run {_ended(outcome)}"
            ask = f"ask for {' or '.join(acts_on)}"
            yield lines.at((*place, "when", "outcome"), f"`{name}` {_WHY[does]}: {what}; {ask}")
    if does is Does.ALERT and rule.alert is None:
        what = f"`{name}` {_WHY[does]}: it cannot tell each run by itself; leave `alert: false` out"
        yield lines.at((*place, "alert"), what)
    if does is Does.REFRESH and rule.when.nodes is not None:
        what = f"`{name}` {_WHY[does]}: nodes are looked at when a run failed or warned"
        yield lines.at((*place, "when", "nodes"), what)


def _ended(outcome: RuleOutcome) -> str:
    return {"clean": "was clean", "cancelled": "was cancelled"}.get(outcome, outcome)


def unused(
    rules: Iterable[Rule], overrides: Iterable[Override], found: Iterable[str], lines: Lines
) -> list[str]:
    """Destinations that nothing is ever sent to."""
    named = {name for rule in rules for name in rule.then}
    named |= {name for override in overrides for name in override.then}
    return [
        lines.at(("destinations", name), "no rule names this destination")
        for name in found
        if name not in named
    ]


def typos(
    rules: Sequence[Rule], overrides: Sequence[Override], lines: Lines, seen: Iterable[RunEvent]
) -> list[str]:
    """Patterns that match nothing in the events seen lately, but almost do.

    A pattern of a project, environment or job that has had no event yet is no typo.
    """
    events = list(seen)
    names = {
        "project": {(event.project_id, event.project_name) for event in events},
        "environment": {(event.environment_id, event.environment_name) for event in events},
        "job": {(event.job_id, event.job_name) for event in events},
    }
    told: list[str] = []
    for index, rule in enumerate(rules):
        for key, known in names.items():
            place: Path = ("rules", index, "when", key)
            told += _almost(getattr(rule.when, key), known, place, key, lines)
    for index, override in enumerate(overrides):
        place = ("overrides", index, "environment")
        told += _almost(override.environment, names["environment"], place, "environment", lines)
    return told


def _almost(
    patterns: Patterns | None, known: set[tuple[str, str]], place: Path, key: str, lines: Lines
) -> Iterator[str]:
    for position, pattern in enumerate(patterns.written if patterns else ()):
        bare = pattern.removeprefix(NOT)
        if any(Patterns((bare,)).match(id=id_, name=name) for id_, name in known):
            continue
        word = bare.removeprefix(NAME).casefold()
        similar = {name.casefold(): name for _, name in known if name}
        close = difflib.get_close_matches(word, similar, n=1, cutoff=SIMILAR)
        if not close and "*" in word:
            close = _begun(word.split("*")[0], similar)
        if close:
            hint = f"no {key} of the last events matches; did you mean `{similar[close[0]]}`?"
            yield lines.at((*place, position), hint)


def _begun(word: str, names: Iterable[str]) -> list[str]:
    """The name that begins almost as `word` does."""
    starts = {name[: len(word)]: name for name in names}
    found = difflib.get_close_matches(word, starts, n=1, cutoff=SIMILAR)
    return [starts[found[0]]] if found and len(word) > 2 else []


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint to the one of `known` that `word` looks like, or to all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known are: {', '.join(known)}" if known else ""
