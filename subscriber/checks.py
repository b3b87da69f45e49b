"""Checks: what is wrong with rules though every key of them is right. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.event import RunEvent
from subscriber.destination import Destination, Does
from subscriber.findings import Finding
from subscriber.hints import did_you_mean, meant
from subscriber.patterns import NAME, NOT, Patterns, is_id
from subscriber.rules import PROBLEMS, Override, Rule, RuleEvent, RuleOutcome
from subscriber.yaml_lines import Lines, Path

NEVER = "this can never match: it leaves out all that it asks for"
ID_DIGITS = 19  # of an id of 64 bits

# what each kind of kinds acts on; a rule that asks it for anything else would never do anything
_ACTS_ON: Mapping[Does, tuple[RuleOutcome, ...]] = {
    Does.ALERT: ("failed", "warned"),
    Does.TELL: ("failed", "warned", "succeeded", "clean", "started", "cancelled"),
    Does.REFRESH: ("succeeded", "clean", "warned"),
    Does.TRIGGER: ("succeeded", "clean", "warned", "failed"),
}
# what a kind that alerts acts on as well, where it is told how runs ended that were no problem
_ENDS: tuple[RuleOutcome, ...] = ("succeeded", "clean", "started", "cancelled")
_WHY = {
    Does.ALERT: "opens an alert for a problem and closes it when it is over",
    Does.TELL: "tells people",
    Does.REFRESH: "refreshes on good data only",
    Does.TRIGGER: "starts something after a run that ended",
}
_TOLD_BY: Mapping[RuleEvent, frozenset[RuleOutcome]] = {
    "started": frozenset({"started"}),
    "errored": frozenset({"failed"}),
    "completed": frozenset({"failed", "succeeded", "warned", "clean", "cancelled"}),
}

# what dbt Cloud and dbt say today; they may say more, so that another word is only worth a warning
# Source: https://docs.getdbt.com/dbt-cloud/api-v2 (trigger: cause_category)
_TRIGGERS = (
    *("scheduled", "api", "ci", "merge", "ui", "rerun", "job completion"),
    *("exposures generated", "adaptive", "ingest"),
)
# Source: https://docs.getdbt.com/reference/node-selection/methods (resource_type)
_KINDS = (
    *("model", "test", "unit_test", "source", "seed", "snapshot", "operation", "exposure"),
    *("analysis", "function", "saved_query", "semantic_model", "metric"),
)


def mistakes(
    rules: Mapping[int, Rule],
    overrides: Mapping[int, Override],
    found: Mapping[str, Destination],
    accounts: Iterable[int],
    lines: Lines,
) -> list[Finding]:
    """Rules that can never match or do anything, and names that nothing bears.

    Rules and overrides are those that could be read, by their place in the file.
    """
    told: list[Finding] = []
    names: set[str] = set()
    known_accounts = {str(account) for account in accounts}
    for index, rule in rules.items():
        place: Path = ("rules", index)
        if rule.name in names:
            told.append(lines.at((*place, "name"), "another rule has this name"))
        names.add(rule.name)
        told += misnamed(rule.then, (*place, "then"), lines)
        told += misnamed(rule.refresh.on_failure, (*place, "refresh", "on_failure"), lines)
        never = (*_never(rule, known_accounts), *_never_told(rule), *_never_looked_at(rule))
        told += [_at(lines, (*place, *path), why) for path, why in never]
        for name in dict.fromkeys(rule.then):
            if name in found:
                told += _idle(rule, name, found[name], place, lines)
        does = {found[name].does for name in rule.then if name in found}
        told += [lines.at((*place, "alert"), why) for why in _idle_alert(rule, does)]
        told += _idle_words(rule, does, place, lines)
        told += _idle_refresh(rule, does, found, place, lines)
    for index, override in overrides.items():
        place = ("overrides", index)
        told += misnamed(override.then, (*place, "then"), lines)
        if override.environment.matches_nothing:
            told.append(lines.at((*place, "environment"), NEVER))
        if all(name in found and found[name].does.starts for name in override.then):
            what = "failures there would be told to nobody; name one that alerts or tells as well"
            told.append(lines.at((*place, "then"), what))
    return told


def misnamed(then: Sequence[str], place: Path, lines: Lines) -> Iterator[Finding]:
    """Names in the list at `place` that no destination bears, or that stand twice."""
    known = lines.names(("destinations",))
    for position, name in enumerate(then):
        at: Path = (*place, position)
        if known and name not in known:
            yield lines.at(at, f"no destination bears this name{did_you_mean(name, known)}")
        elif name in then[:position]:
            yield lines.at(at, "this destination stands here twice; it is told once")


def _never(rule: Rule, accounts: set[str]) -> Iterator[tuple[Path, str]]:
    when, nodes = rule.when, rule.when.nodes
    for key in ("account", "project", "environment", "job", "trigger"):
        patterns: Patterns | None = getattr(when, key)
        if patterns is not None and patterns.matches_nothing:
            yield ("when", key), NEVER
        elif patterns is not None and key != "trigger":
            yield from _never_an_id(patterns, ("when", key))
    for key in type(nodes).model_fields if nodes else ():
        patterns = getattr(nodes, key)
        # a node may have no tag, group or owner: `!*` matches those
        may_be_none = key in ("tag", "group", "owner") and patterns and not patterns.wanted
        if patterns is not None and patterns.matches_nothing and not may_be_none:
            yield ("when", "nodes", key), NEVER
    if when.account and accounts and not any(when.account.match(id=each) for each in accounts):
        yield ("when", "account"), "this can never match: it is none of `dbt_cloud: accounts`"


def _never_told(rule: Rule) -> Iterator[tuple[Path, str]]:
    outcomes, events = rule.when.outcome, rule.when.event
    if events is None:
        return
    tell_nothing = [each for each in events if not _TOLD_BY[each] & set(outcomes)]
    for outcome in dict.fromkeys(outcomes):
        if not any(outcome in _TOLD_BY[event] for event in events):
            tells = [f"`{event}`" for event, said in _TOLD_BY.items() if outcome in said]
            what = f"a run that {_ended(outcome)} is told by {' and '.join(tells)} only"
            yield ("when", "event"), f"this can never match: {what}"
    for position, event in enumerate(events):
        if event in tell_nothing and len(tell_nothing) < len(events):
            what = f"`{event}` tells of no run that {' or '.join(map(_ended, outcomes))}"
            yield ("when", "event", position), f"this can never match: {what}"


def _never_looked_at(rule: Rule) -> Iterator[tuple[Path, str]]:
    others = set(rule.when.outcome) - PROBLEMS
    if rule.when.nodes is not None and others:
        asked = " or ".join(_ended(each) for each in sorted(others))
        what = f"nodes are looked at when a run failed or warned, not when it {asked}"
        yield ("when", "nodes"), what


def _never_an_id(patterns: Patterns, path: Path) -> Iterator[tuple[Path, str]]:
    for position, pattern in enumerate(patterns.written):
        bare = pattern.removeprefix(NOT)
        if is_id(bare) and (len(bare) > ID_DIGITS or bare.startswith("0")):
            what = "this can never match: digits alone are an id, and none looks so"
            yield (*path, position), f"{what}; a name is written `name:...`"


def _idle_alert(rule: Rule, does: set[Does]) -> Iterator[str]:
    if "alert" not in rule.model_fields_set:
        return
    if does and all(each.starts for each in does):
        yield "none of its destinations alerts or tells; leave this out"
    elif rule.alert is not None and not PROBLEMS & set(rule.when.outcome):
        yield "alerts are of runs that failed or warned; leave this out"


def _idle_words(rule: Rule, does: set[Does], place: Path, lines: Lines) -> Iterator[Finding]:
    for key in ("title", "note", "severity"):
        if key in rule.model_fields_set and does and all(each.starts for each in does):
            what = "none of its destinations alerts or tells; leave this out"
            yield lines.at((*place, key), what)


def _idle_refresh(
    rule: Rule, does: set[Does], found: Mapping[str, Destination], place: Path, lines: Lines
) -> Iterator[Finding]:
    if "refresh" in rule.model_fields_set and does and not any(each.starts for each in does):
        yield lines.at((*place, "refresh"), "none of its destinations refreshes; leave this out")
    for position, name in enumerate(rule.refresh.on_failure):
        if name in found and found[name].does.starts:
            at: Path = (*place, "refresh", "on_failure", position)
            yield lines.at(at, "this refreshes; name what alerts or tells people")


def _idle(
    rule: Rule, name: str, destination: Destination, place: Path, lines: Lines
) -> Iterator[Finding]:
    does = destination.does
    acts_on = (*_ACTS_ON[does], *(_ENDS if destination.tells_ends() else ()))
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
    """The outcome as the end of a sentence: a run that ..."""
    return {"clean": "was clean", "cancelled": "was cancelled"}.get(outcome, outcome)


def unused(
    rules: Iterable[Rule], overrides: Iterable[Override], found: Iterable[str], lines: Lines
) -> list[Finding]:
    """Destinations that nothing is ever sent to."""
    named = {name for rule in rules for name in (*rule.then, *rule.refresh.on_failure)}
    named |= {name for override in overrides for name in override.then}
    return [
        lines.at(("destinations", name), "no rule names this destination")
        for name in found
        if name not in named
    ]


def odd_words(rules: Mapping[int, Rule], lines: Lines) -> list[Finding]:
    """Triggers and kinds of nodes that dbt has never used: slips, or newer than this program."""
    told: list[Finding] = []
    for index, rule in rules.items():
        place: Path = ("rules", index, "when")
        kind = rule.when.nodes.kind if rule.when.nodes else None
        for patterns, known, path in (
            (rule.when.trigger, _TRIGGERS, (*place, "trigger")),
            (kind, _KINDS, (*place, "nodes", "kind")),
        ):
            for position, pattern in enumerate(patterns.written if patterns else ()):
                if not any(Patterns((pattern.removeprefix(NOT),)).match_any([w]) for w in known):
                    word = pattern.removeprefix(NOT).removeprefix(NAME).casefold()
                    hint = did_you_mean(word, known)
                    told.append(_at(lines, (*path, position), f"dbt has no such word{hint}"))
    return told


def shared(found: Mapping[str, Destination], lines: Lines) -> list[Finding]:
    """Destinations that page through one key: what one of them closes is closed for the other."""
    told: list[Finding] = []
    known: dict[frozenset[str], str] = {}
    for name, destination in found.items():
        refs = frozenset(map(str, destination.secret_refs().values()))
        if destination.does is Does.ALERT and refs and known.setdefault(refs, name) != name:
            what = "shares its key with another destination: one of them closes what both opened"
            told.append(lines.at(("destinations", name), f"{what}; name one in both rules"))
    return told


def typos(
    rules: Sequence[Rule], overrides: Sequence[Override], lines: Lines, seen: Iterable[RunEvent]
) -> list[Finding]:
    """Patterns that match nothing in the events seen lately, but almost do, in the file's order.

    A pattern of a project, environment or job that has had no event yet is no typo.
    """
    events = list(seen)
    names = {
        "project": {(event.project_id, event.project_name) for event in events},
        "environment": {(event.environment_id, event.environment_name) for event in events},
        "job": {(event.job_id, event.job_name) for event in events},
    }
    told: list[Finding] = []
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
) -> Iterator[Finding]:
    names = {name.casefold(): name for _, name in sorted(known) if name}
    for position, pattern in enumerate(patterns.written if patterns else ()):
        bare = pattern.removeprefix(NOT)
        if any(Patterns((bare,)).match(id=id_, name=name) for id_, name in known):
            continue
        if name := meant(bare, names):
            hint = f"no {key} of the last events matches; did you mean `{name}`?"
            yield _at(lines, (*place, position), hint)


def _at(lines: Lines, path: Path, what: str) -> Finding:
    """`what`, said of one of a list; of the whole, where it is written without a list."""
    is_listed = path in lines.places or not isinstance(path[-1], int)
    return lines.at(path if is_listed else path[:-1], what)
