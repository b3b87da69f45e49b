"""Named: what a configuration names, compared with what the account has. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from subscriber.dbt_cloud.account import Named, Names
from subscriber.findings import Finding
from subscriber.hints import meant
from subscriber.patterns import NAME, NOT, Patterns, is_glob, is_id
from subscriber.rules import Override, Rule, When
from subscriber.yaml_lines import Lines, Path

KNOWN_LIMIT = 8  # names are said at the most, where nothing looks alike


def strangers(
    rules: Sequence[Rule],
    overrides: Sequence[Override],
    accounts: Mapping[str, Names],
    lines: Lines,
) -> list[Finding]:
    """Names and ids to the letter that nothing in `accounts` bears; globs may mean what will be."""
    told: list[Finding] = []
    for index, rule in enumerate(rules):
        place: Path = ("rules", index, "when")
        told += _of_account(rule.when.account, list(accounts), (*place, "account"), lines)
        for key in ("project", "environment", "job"):
            told += _unborne(key, rule.when, _in_reach(rule.when, accounts), (*place, key), lines)
    for index, override in enumerate(overrides):
        when = When(outcome=("failed",), environment=override.environment)
        place = ("overrides", index, "environment")
        told += _unborne("environment", when, list(accounts.values()), place, lines)
    return told


def _in_reach(when: When, accounts: Mapping[str, Names]) -> list[Names]:
    """What there is in those of `accounts` that a rule is for; all of them if it is for none."""
    asked = [
        names for id_, names in accounts.items() if not when.account or when.account.match(id=id_)
    ]
    return asked or list(accounts.values())


def _of_account(
    patterns: Patterns | None, known: Sequence[str], place: Path, lines: Lines
) -> Iterator[Finding]:
    for position, pattern in enumerate(patterns.written if patterns else ()):
        if pattern.removeprefix(NOT) not in known:
            what = f"the token sees no such account, only {', '.join(known)}"
            yield _at(lines, (*place, position), what)


def _unborne(
    key: str, when: When, accounts: Sequence[Names], place: Path, lines: Lines
) -> Iterator[Finding]:
    patterns: Patterns | None = getattr(when, key)
    if patterns is None or any(f"{key}s" in names.hidden for names in accounts):
        return
    everything = [each for names in accounts for each in _listed(names, key)]
    near = _near(key, when, accounts)
    for position, pattern in enumerate(patterns.written):
        bare = pattern.removeprefix(NOT)
        if is_glob(bare) or any(_bears(each, bare) for each in near):
            continue
        elsewhere = [each for each in everything if _bears(each, bare)]
        what = _of_another(key, elsewhere, accounts) or _unknown(key, bare, near)
        yield _at(lines, (*place, position), what)


def _listed(names: Names, key: str) -> list[Named]:
    found = {"project": names.projects, "environment": names.environments, "job": names.jobs}
    return list(found[key].values())


def _near(key: str, when: When, accounts: Sequence[Names]) -> list[Named]:
    """What a rule could mean with `key`: what is of the projects that it is for."""
    found = []
    for names in accounts:
        of = {
            each.id
            for each in names.projects.values()
            if when.project is None or when.project.match(id=each.id, name=each.name)
        }
        is_any = key == "project" or not of
        found += [e for e in _listed(names, key) if is_any or not e.parent or e.parent in of]
    return found


def _bears(named: Named, pattern: str) -> bool:
    return Patterns((pattern,)).match(id=named.id, name=named.name)


def _of_another(key: str, found: Sequence[Named], accounts: Sequence[Names]) -> str:
    """What is wrong where something bears the name, but is of another project than is asked for."""
    if not found:
        return ""
    projects = {id_: each.name for names in accounts for id_, each in names.projects.items()}
    of = ", ".join(dict.fromkeys(f"`{projects.get(each.parent, each.parent)}`" for each in found))
    return f"this {key} is not of the `project` of the rule, but of {of}"


def _unknown(key: str, pattern: str, known: Sequence[Named]) -> str:
    bears = "has this id" if is_id(pattern) else "bears this name"
    names = {each.name.casefold(): each.name for each in known if each.name}
    if close := meant(pattern, names):
        return f"no {key} {bears}; did you mean `{close}`?"
    # the same words in another order, or fewer of them
    word = pattern.removeprefix(NAME).casefold()
    is_part = len(word) > 2 and not is_id(pattern)
    within = [name for plain, name in names.items() if is_part and word in plain]
    if within:
        return f"no {key} {bears}; did you mean {_either(within)}?"
    listed = sorted(names.values())
    if 0 < len(listed) <= KNOWN_LIMIT:
        return f"no {key} {bears}; there are: {', '.join(listed)}"
    return f"no {key} {bears}"


def _either(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names[:KNOWN_LIMIT]]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _at(lines: Lines, path: Path, what: str) -> Finding:
    return lines.at(path if path in lines.places else path[:-1], what)
