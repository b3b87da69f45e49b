"""Pagers: whether a run that fails in production would page anybody. In doubt it would. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from subscriber.destination import Destination, Does
from subscriber.findings import Finding
from subscriber.patterns import NAME, Patterns, covers, is_id
from subscriber.rules import PROBLEMS, Override, Rule
from subscriber.yaml_lines import Lines

# how the environment that matters is usually called, and those that do not
_PRODUCTION = ("production", "prod")
_NOT_PRODUCTION = re.compile(
    r"(?<![a-z])(?:dev|development|test|tests|testing|qa|uat|stag|stage|staging|ci|sandbox|demo"
    r"|preview|playground)(?![a-z])"
)


def missed(
    rules: Sequence[Rule],
    overrides: Sequence[Override],
    destinations: Mapping[str, Destination],
    lines: Lines,
) -> list[Finding]:
    """Where there is somebody to page, and what keeps production, or a rule, from doing so."""
    pages = {name for name, each in destinations.items() if each.does is Does.ALERT}
    paging = [
        rule for rule in rules if pages & set(rule.then) and PROBLEMS & set(rule.when.outcome)
    ]
    if not paging:
        return []
    if not any(_is_for_production(rule) for rule in paging):
        names = ", ".join(f"`{name}`" for name in _named(paging, pages))
        what = f"a run that fails in production pages nobody: no rule names {names} for that"
        return [lines.at(("rules",), what)]
    hiding = [i for i, each in enumerate(overrides) if not pages & set(each.then)]
    told = [index for index in hiding if _takes_production(overrides, index, paging)]
    return [
        *(
            lines.at(
                ("overrides", index, "then"),
                "a run that fails in production pages nobody: the destinations here take the "
                "place of those of the rules, and none of them alerts",
            )
            for index in told
        ),
        *_never_paged(rules, overrides, set(hiding) - set(told), pages, lines),
    ]


def _named(rules: Sequence[Rule], pages: set[str]) -> list[str]:
    return list(dict.fromkeys(name for rule in rules for name in rule.then if name in pages))


def _is_for_production(rule: Rule) -> bool:
    """Whether it may be told of a run that fails there; what has another name may be it as well."""
    when = rule.when
    if "failed" not in when.outcome or (when.trigger and when.trigger.wanted == ["ci"]):
        return False
    if when.environment is None:
        return True
    unwanted = Patterns(tuple(when.environment.unwanted))
    if unwanted.written and any(unwanted.match(name=name) for name in _PRODUCTION):
        return False
    wanted = when.environment.wanted
    return not wanted or any(not _is_another(pattern) for pattern in wanted)


def _is_another(pattern: str) -> bool:
    """Whether `pattern` is for environments that are certainly not production."""
    word = pattern.removeprefix(NAME).casefold()
    may_be = is_id(pattern) or "prod" in word or "live" in word
    return not may_be and bool(_NOT_PRODUCTION.search(word))


def _takes_production(overrides: Sequence[Override], index: int, paging: Sequence[Rule]) -> bool:
    """Whether it is this override that applies where production has its usual name and pages."""
    taken = [name for name in _PRODUCTION if _first(overrides, name) == index]
    is_left_to_others = any(_first(overrides, name) not in (index, -1) for name in _PRODUCTION)
    return not is_left_to_others and any(
        _is_for_production(rule) and _is_for(rule, name) for rule in paging for name in taken
    )


def _first(overrides: Sequence[Override], name: str) -> int:
    """Which of them applies in the environment `name`; -1 if none does."""
    applying = (i for i, each in enumerate(overrides) if each.environment.match(name=name))
    return next(applying, -1)


def _is_for(rule: Rule, name: str) -> bool:
    return rule.when.environment is None or rule.when.environment.match(name=name)


def _never_paged(
    rules: Sequence[Rule],
    overrides: Sequence[Override],
    hiding: set[int],
    pages: set[str],
    lines: Lines,
) -> Iterator[Finding]:
    """Pagers that a rule names for environments where an override takes their place."""
    for index, rule in enumerate(rules):
        environment = rule.when.environment
        if environment is None or not environment.wanted or not PROBLEMS & set(rule.when.outcome):
            continue
        over = next(
            (i for i in sorted(hiding) if covers(overrides[i].environment, environment)), -1
        )
        if over < 0 or any(i not in hiding for i in range(over)):
            continue
        for position, name in enumerate(rule.then):
            if name in pages:
                what = (
                    f"this rule never pages: `overrides[{over}]` takes the place of its "
                    "destinations there, and names none that alerts"
                )
                yield lines.at(("rules", index, "then", position), what)
