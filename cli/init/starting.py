"""Starting: a first configuration file, made of a few answers. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.check.schema import COMMENT
from shared.errors import Mistake
from subscriber import configuration
from subscriber.configuration import Configuration
from subscriber.yaml_lines import parse

_HEAD = f"""\
{COMMENT}
#
# What happens after a dbt Cloud run. `afterrun check` says what is wrong with this file, and
# editors that know the schema above do while you write.
#
# Secrets are never written here, only where they are kept: secret:NAME in Google Secret Manager,
# env:NAME in an environment variable, file:/path in a file.

version: 1
"""
_WORD = r"[A-Za-z0-9_./@-]+(?::[A-Za-z0-9_./@-]+)*"
_PLAIN = re.compile(rf"(?=[A-Za-z_]){_WORD}(?: {_WORD})*")
# what YAML takes for an end of line, or refuses, though JSON does not mind
_UNFIT = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ID = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Start:
    """What a first configuration is to say; empty is what it does without.

    `chat` and `dashboard` are the fields of a destination, its kind among them. What is a secret is
    a reference. `job` is whose good runs refresh the dashboard; empty, each in `environment`.
    """

    host: str
    token: str
    environment: str
    account: str = ""
    pagerduty: str = ""
    chat: Mapping[str, str] = field(default_factory=dict)
    dashboard: Mapping[str, str] = field(default_factory=dict)
    job: str = ""

    @property
    def told(self) -> list[str]:
        """The names of the destinations that hear of failures."""
        return [*(["oncall"] if self.pagerduty else []), *(["data-alerts"] if self.chat else [])]


def text(start: Start) -> str:
    """The file. Raises Mistake if that would not be right: then an answer is not."""
    made = "\n".join([_HEAD, _dbt_cloud(start), _destinations(start), _rules(start)])
    read(made)
    return made


def read(made: str, file: str = "afterrun.yaml") -> Configuration:
    """What the service would read in `made`; raises Mistake."""
    return configuration.read(*parse(made, file))


def _dbt_cloud(start: Start) -> str:
    lines = [
        "dbt_cloud:",
        "  # The host of your account's access URL: in dbt Cloud, Account settings, Access URLs.",
        f"  host: {written(start.host)}",
        "  # A service token that may read metadata and, for the details of an alert, runs.",
        f"  token: {written(start.token)}",
    ]
    if start.account:
        lines += [
            "  # Events of other accounts, such as those of dbt's test button, are told to nobody.",
            f"  accounts: [{start.account}]",
        ]
    return "\n".join([*lines, ""])


def _destinations(start: Start) -> str:
    lines = ["# The names are yours; the rules use them below.", "destinations:"]
    if start.pagerduty:
        lines += _fields("oncall", {"kind": "pagerduty", "routing_key": start.pagerduty})
    if start.chat:
        lines += _fields("data-alerts", start.chat)
    if start.dashboard:
        lines += _fields("dashboard", start.dashboard)
    if len(lines) == 2:
        raise Mistake(
            "there is nobody to tell and nothing to refresh: give --pagerduty, --slack, --teams "
            "or --dashboard"
        )
    return "\n".join([*lines, ""])


def _fields(name: str, fields: Mapping[str, str]) -> list[str]:
    return [f"  {name}:", *(f"    {key}: {written(value)}" for key, value in fields.items())]


def _rules(start: Start) -> str:
    where = [
        f"      environment: {pattern(start.environment)}",
        '      trigger: ["!ci", "!merge"]',
    ]
    lines = ["# In production, but for the runs that test a change.", "rules:"]
    if start.told:
        lines += [
            "  # A failed run opens an alert; the job's next good run closes it.",
            "  - name: failures in production",
            "    when:",
            "      outcome: failed",
            *where,
            f"    then: [{', '.join(start.told)}]",
        ]
    if start.chat:
        lines += [
            "",
            "  # A run that ended well, but in which a test warned or a source is not fresh.",
            "  - name: warnings in production",
            "    when:",
            "      outcome: warned",
            *where,
            "    then: [data-alerts]",
        ]
    if start.dashboard:
        lines += [
            *([""] if start.told else []),
            "  # A good run refreshes it, once.",
            "  - name: the dashboard shows new data",
            "    when:",
            "      outcome: succeeded",
            *([f"      job: {pattern(start.job)}"] if start.job else []),
            *where,
        ]
        if start.told:
            lines += [
                "    # Who hears of a refresh that does not end well.",
                f"    refresh: {{on_failure: [{start.told[-1]}]}}",
            ]
        lines.append("    then: [dashboard]")
    return "\n".join([*lines, ""])


def written(value: str) -> str:
    """`value` as text in YAML, in quotes where it would be something else."""
    if _PLAIN.fullmatch(value) and parse(f"a: {value}\n", "")[0] == {"a": value}:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def pattern(value: str) -> str:
    """The same of what a rule matches on, where digits alone are an id."""
    return value if _ID.fullmatch(value) else written(value)
