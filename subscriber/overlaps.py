"""Overlaps: what changes nothing because of another rule or override, in doubt nothing. Pure."""

from collections.abc import Mapping, Sequence

from subscriber.destination import Destination
from subscriber.findings import Finding
from subscriber.patterns import covers
from subscriber.rules import PROBLEMS, Override, Rule, RuleOutcome, When
from subscriber.run import SEVERITIES
from subscriber.yaml_lines import Lines

RULES_LIMIT = 500  # each is compared with each; with more, the start would take too long


def found(
    rules: Sequence[Rule],
    overrides: Sequence[Override],
    destinations: Mapping[str, Destination],
    lines: Lines,
) -> list[Finding]:
    """Rules that change nothing, alert settings that never hold, overrides that never apply."""
    told: list[Finding] = []
    for index in range(len(rules) if len(rules) <= RULES_LIMIT else 0):
        if above := _whose_alert_holds(rules, index, destinations):
            what = (
                f"this never holds: `{above.name}`, above, has the same destinations for every run "
                "that this rule matches, and the first `alert` holds; put this rule above it"
            )
            told.append(lines.at(("rules", index, "alert"), what))
        elif others := _who_says_all(rules, index, destinations):
            named = " and ".join(f"`{each}`" for each in others)
            have = "have" if len(others) > 1 else "has"
            what = (
                f"this rule changes nothing: {named} {have} the same destinations for every run "
                "that it matches; leave it out, or give it other destinations"
            )
            told.append(lines.at(("rules", index), what))
    for index, override in enumerate(overrides):
        if any(covers(each.environment, override.environment) for each in overrides[:index]):
            what = "this never applies: an override above it is for all of these environments"
            told.append(lines.at(("overrides", index), what))
    return told


def _whose_alert_holds(
    rules: Sequence[Rule], index: int, destinations: Mapping[str, Destination]
) -> Rule | None:
    """The rule above whose `alert` holds wherever the one at `index` has another of its own."""
    rule = rules[index]
    if "alert" not in rule.model_fields_set or not set(rule.when.outcome) <= PROBLEMS:
        return None
    names = [name for name in rule.then if not destinations[name].does.starts]
    if not names or rule.alert is None:
        return None
    for above in rules[:index]:
        if (
            above.alert != rule.alert
            and set(names) <= set(above.then)
            and _matches_whenever(above.when, rule.when)
            and _has_the_same_subjects(above, rule)
        ):
            return above
    return None


def _who_says_all(
    rules: Sequence[Rule], index: int, destinations: Mapping[str, Destination]
) -> list[str]:
    """The names of the rules without which the one at `index` would say something; else none."""
    others = []
    for name in rules[index].then:
        starts = destinations[name].does.starts
        other = next((i for i in range(len(rules)) if _says_all(rules, i, index, name, starts)), -1)
        if other < 0:
            return []
        others.append(rules[other].name)
    return list(dict.fromkeys(others))


def _says_all(rules: Sequence[Rule], wide: int, narrow: int, name: str, starts: bool) -> bool:  # noqa: FBT001
    """Whether at the destination `name` the rule at `wide` says all that the one at `narrow` does.

    Of two that say the same, the one above says it.
    """
    one, other = rules[wide], rules[narrow]
    if wide == narrow or name not in one.then or not _matches_whenever(one.when, other.when):
        return False
    if wide > narrow:
        if not _is_as_if_below(rules[narrow + 1 : wide + 1], other, name):
            return False
        if _says_all(rules, narrow, wide, name, starts):
            return False
    if starts:
        heard, patience = other.refresh.on_failure, other.refresh.timeout
        return set(heard) <= set(one.refresh.on_failure) and patience <= one.refresh.timeout
    return _has_the_same_subjects(one, other) and _has_no_words_to_add(one, other)


def _is_as_if_below(rules: Sequence[Rule], rule: Rule, name: str) -> bool:
    """Whether `rule`, which stands above all of `rules`, settles nothing by that."""
    settles_words = bool(rule.title or rule.note)
    return not settles_words and all(
        each.alert == rule.alert for each in rules if name in each.then
    )


def _matches_whenever(wide: When, narrow: When) -> bool:
    """Whether every run that `narrow` matches, nodes aside, is matched by `wide` at that time."""
    return (
        _covers_outcomes(set(wide.outcome), set(narrow.outcome))
        and _hears(wide, narrow)
        and all(
            covers(getattr(wide, key), getattr(narrow, key))
            for key in ("account", "project", "environment", "job", "trigger")
        )
    )


def _covers_outcomes(wide: set[RuleOutcome], narrow: set[RuleOutcome]) -> bool:
    """Whether `wide` makes the same of all that `narrow` matches: a problem, or none."""
    if "succeeded" in narrow and "warned" in wide ^ narrow:
        return False
    return all(each in wide or (each == "clean" and "succeeded" in wide) for each in narrow)


def _hears(wide: When, narrow: When) -> bool:
    """Whether `wide` acts on each event that `narrow` does, and as soon."""
    if narrow.event is None:
        return wide.event is None
    if wide.event is None:
        return "errored" not in narrow.event
    return set(narrow.event) <= set(wide.event)


def _has_the_same_subjects(wide: Rule, narrow: Rule) -> bool:
    """Whether alerts of `narrow` are, or are part of, those of `wide`."""
    if wide.when.nodes == narrow.when.nodes:
        if wide.alert is None or narrow.alert is None:
            return wide.alert is narrow.alert
        return wide.alert.per == narrow.alert.per
    if wide.when.nodes is not None or wide.alert is None or narrow.alert is None:
        return False
    return wide.alert.per == narrow.alert.per and narrow.alert.per != "node"


def _has_no_words_to_add(wide: Rule, narrow: Rule) -> bool:
    worst = ("", *SEVERITIES)
    return (
        bool(wide.title or not narrow.title)
        and bool(wide.note or not narrow.note)
        and worst.index(narrow.severity or "") <= worst.index(wide.severity or "")
    )
