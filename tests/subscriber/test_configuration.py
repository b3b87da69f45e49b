"""The configuration file: what it means, and what each mistake in it says."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.errors import Mistake
from subscriber import configuration
from subscriber.configuration import Configuration, DbtCloudSettings
from subscriber.destinations.mode import Mode
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.rules import Alert, Rule, When
from subscriber.yaml_lines import parse
from tests.builders import an_event

HEAD = """\
version: 1
dbt_cloud: {token: secret:dbt}
"""
DESTINATIONS = """\
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd}
  revenue: {kind: mode, workspace: acme, report: r1, token: env:T, secret: env:S}
"""
RULES = """\
rules:
  - {name: page, when: {outcome: failed}, then: [oncall]}
  - {name: refresh, when: {outcome: succeeded}, then: [revenue]}
"""
GOOD = HEAD + DESTINATIONS + RULES


def read(text: str) -> Configuration:
    return configuration.read(*parse(text, "afterrun.yaml"))


def mistakes(text: str) -> list[str]:
    """What is said about `text`, a line each, without the file's name."""
    with pytest.raises(Mistake) as raised:
        read(text)
    lines = str(raised.value).splitlines()
    assert all(line.startswith("afterrun.yaml:") for line in lines)
    return [line.removeprefix("afterrun.yaml:") for line in lines]


def said_about(text: str) -> str:
    """What is said about `text`, if anything is."""
    try:
        read(text)
    except Mistake as raised:
        return str(raised)
    return ""


def test_a_file_says_where_dbt_cloud_is_what_there_is_and_when_to_use_it() -> None:
    found = read(
        """\
version: 1
dbt_cloud:
  host: ab123.us1.dbt.com
  token: secret:dbt@3
  accounts: [1, 9007199254740993]
  base_url: http://127.0.0.1:8080/
  metadata_url: https://metadata.example/graphql
"""
        + DESTINATIONS
        + RULES
    )

    assert found.dbt_cloud.host == "ab123.us1.dbt.com"
    assert found.dbt_cloud.token.get_secret_value() == "secret:dbt@3"
    assert found.dbt_cloud.accounts == (1, 9007199254740993)
    assert found.dbt_cloud.base_url == "http://127.0.0.1:8080"
    assert found.dbt_cloud.metadata_url == "https://metadata.example/graphql"
    assert [type(each) for each in found.destinations.values()] == [PagerDuty, Mode]
    assert [rule.name for rule in found.rules] == ["page", "refresh"]
    assert found.warnings == ()


def test_what_is_left_out_has_a_default() -> None:
    found = read(GOOD)

    assert found.dbt_cloud.host == "cloud.getdbt.com"
    assert found.dbt_cloud.accounts == ()
    assert found.dbt_cloud.base_url is None
    assert found.destinations["oncall"].base_url == "https://events.pagerduty.com"


@pytest.mark.parametrize(
    "written", ["ab123.us1.dbt.com", "https://ab123.us1.dbt.com/", "' ab123.us1.dbt.com '"]
)
def test_the_host_may_be_copied_from_the_browser(written: str) -> None:
    found = read(HEAD.replace("{", f"{{host: {written}, ") + DESTINATIONS + RULES)

    assert found.dbt_cloud.host == "ab123.us1.dbt.com"


@pytest.mark.parametrize(
    ("job", "matching"),
    [
        ("7", {"job_id": 7}),
        ("'7'", {"job_id": 7}),
        ("9007199254740993", {"job_id": 9007199254740993}),
        ("name:2024", {"jobName": "2024"}),
        ("on", {"jobName": "ON"}),
        ("no", {"jobName": "no"}),
        ("12:30", {"jobName": "12:30"}),
        ("2024-01-01", {"jobName": "2024-01-01"}),
        ("name:99999999999999999999", {"jobName": "99999999999999999999"}),
    ],
)
def test_names_and_ids_mean_what_they_look_like(job: str, matching: dict[str, Any]) -> None:
    rules = f"rules:\n  - {{name: page, when: {{outcome: failed, job: {job}}}, then: [oncall]}}\n"

    (rule,) = read(HEAD + DESTINATIONS + rules).rules

    assert rule.when.could_match(an_event(**matching))
    assert not rule.when.could_match(an_event(job_id=8, jobName="other"))


def test_a_destination_that_no_rule_names_is_worth_a_warning() -> None:
    found = read(HEAD + DESTINATIONS + "\n".join(RULES.splitlines()[:2]))

    assert found.warnings == (
        "afterrun.yaml:5: destinations.revenue: no rule names this destination",
    )


WHERE_KEPT = "write secret:NAME, secret:NAME@VERSION, env:NAME or file:/path"


@pytest.mark.parametrize(
    ("instead_of", "written", "said"),
    [
        (GOOD, "just text", "1: write keys and values here"),
        (GOOD, HEAD, "1: `destinations` is missing\n1: `rules` is missing"),
        (RULES, "rules: []", "6: rules: this list is empty; write at least one"),
        (RULES, "rules:", "6: rules: write a list here, such as [one, another]"),
        (RULES, "rules: {a: b}", "6: rules: write a list here, such as [one, another]"),
        (RULES, f"{RULES}  - text", "9: rules[2]: write keys and values here"),
        (DESTINATIONS, "destinations: {}\n", "3: destinations: this is empty; write at least one"),
        (DESTINATIONS, "destinations: [a]\n", "3: destinations: write keys and values here"),
        ("version: 1", "version: 2", "1: version: write 1"),
        (
            "dbt_cloud:",
            "dbtcloud:",
            "1: `dbt_cloud` is missing\n2: dbtcloud: unknown key; did you mean `dbt_cloud`?",
        ),
        (
            "token: secret:dbt",
            "tokn: secret:dbt",
            (
                "2: dbt_cloud: `token` is missing\n"
                "2: dbt_cloud.tokn: unknown key; did you mean `token`?"
            ),
        ),
        (
            "secret:dbt",
            "dbtc_0123456789",
            (
                "2: dbt_cloud.token: a secret is written here as it is; write where it is kept: "
                "secret:NAME, secret:NAME@VERSION, env:NAME or file:/path"
            ),
        ),
        (
            "secret:dbt",
            "secret:my token",
            f"2: dbt_cloud.token: this secret: reference is malformed; {WHERE_KEPT}",
        ),
        (
            "secret:dbt",
            "secret:dbt, host: http://x",
            "2: dbt_cloud.host: write the host of your access URL, such as ab123.us1.dbt.com",
        ),
        (
            "secret:dbt",
            "secret:dbt, accounts: 5",
            "2: dbt_cloud.accounts: write a list here, such as [one, another]",
        ),
        (
            "secret:dbt",
            "secret:dbt, accounts: [acme, 1.5]",
            (
                "2: dbt_cloud.accounts[0]: write a whole number here\n"
                "2: dbt_cloud.accounts[1]: write a whole number here"
            ),
        ),
        (
            "secret:dbt",
            "secret:dbt, base_url: http://x.com, metadata_url: x.com",
            (
                "2: dbt_cloud.base_url: plain http is accepted for loopback addresses only; "
                "use https://\n"
                "2: dbt_cloud.metadata_url: this is not a URL; it begins with https://"
            ),
        ),
        (
            "kind: pagerduty",
            "kind: pager",
            "4: destinations.oncall.kind: `kind` must be one of: mode, pagerduty",
        ),
        (
            "kind: pagerduty",
            "kind: [pagerduty]",
            "4: destinations.oncall.kind: `kind` must be one of: mode, pagerduty",
        ),
        (
            "kind: pagerduty, ",
            "",
            "4: destinations.oncall: `kind` must be one of: mode, pagerduty",
        ),
        (
            "{kind: pagerduty, routing_key: secret:pd}",
            "pagerduty",
            "4: destinations.oncall: write keys and values here",
        ),
        (
            "routing_key",
            "routingkey",
            (
                "4: destinations.oncall: `routing_key` is missing\n"
                "4: destinations.oncall.routingkey: unknown key; did you mean `routing_key`?"
            ),
        ),
        (
            "secret:pd",
            "secret:pd, severity: high",
            "4: destinations.oncall.severity: write 'critical', 'error', 'warning' or 'info'",
        ),
        (
            "report: r1",
            "report: 123456789012",
            (
                "5: destinations.revenue.report: "
                "write text here; what looks like a number goes in quotes"
            ),
        ),
        (
            "outcome: failed",
            "outcome: [failed, warned]",
            "7: rules[0].when.outcome[1]: write 'failed' or 'succeeded'",
        ),
        (
            "outcome: failed",
            "outcome: []",
            "7: rules[0].when.outcome: this list is empty; write at least one",
        ),
        (
            "outcome: failed",
            "outcome: failed, job: ",
            "7: rules[0].when.job: this is empty; leave the key out for everything",
        ),
        (
            "outcome: failed",
            "outcome: failed, job: []",
            (
                "7: rules[0].when.job: this list is empty: it can never match; "
                "leave the key out for everything"
            ),
        ),
        (
            "outcome: failed",
            "outcome: failed, jobs: 7",
            "7: rules[0].when.jobs: unknown key; did you mean `job`?",
        ),
        (
            "outcome: failed",
            "outcome: failed, xyz: 7",
            (
                "7: rules[0].when.xyz: unknown key; known are: "
                "outcome, account, project, environment, job, trigger"
            ),
        ),
        (
            "then: [oncall]",
            "then: oncall",
            "7: rules[0].then: write a list here, such as [one, another]",
        ),
        (
            "then: [oncall]",
            "then: [oncal]",
            "7: rules[0].then[0]: no destination bears this name; did you mean `oncall`?",
        ),
        (
            "then: [oncall]",
            "then: [slack]",
            "7: rules[0].then[0]: no destination bears this name; known are: oncall, revenue",
        ),
        (
            "then: [oncall]",
            "then: [oncall, revenue]",
            (
                "7: rules[0].when.outcome: `revenue` refreshes on good data only: "
                "it has nothing to do when a run failed; ask for succeeded"
            ),
        ),
        (
            "outcome: failed",
            "outcome: [failed, succeeded]",
            (
                "7: rules[0].when.outcome: `oncall` opens an alert when a run failed and closes it "
                "when the job recovers: it has nothing to do when a run succeeded; ask for failed"
            ),
        ),
        ("name: refresh", "name: page", "8: rules[1].name: another rule has this name"),
        ("name: refresh", "name: ''", "8: rules[1].name: this is empty"),
        ("name: page", "name: page, alert: {per: node}", "7: rules[0].alert.per: write 'job'"),
    ],
)
def test_a_mistake_says_where_what_and_how_to_mend_it(
    instead_of: str, written: str, said: str
) -> None:
    assert instead_of in GOOD

    assert mistakes(GOOD.replace(instead_of, written)) == said.split("\n")


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 1
dbt_cloud:
  token: dbtc_0123456789abcdef
destinations:
  oncall:
    kind: pagerduty
    routing_key: 0123456789abcdef0123456789abcdef
    severty: high
  chat:
    kind: slack
rules:
  - name: page
    when: {outcome: failed, jobs: 7}
    then: oncall
  - when: {}
    then: []
"""

    assert [said.partition(" ")[0] for said in mistakes(text)] == [
        *["3:", "7:", "8:", "10:", "13:", "14:", "15:", "15:", "16:"]
    ]


def test_rules_are_looked_at_though_a_destination_is_wrong() -> None:
    text = HEAD + DESTINATIONS.replace("secret:pd", "literal") + RULES.replace("[oncall]", "[on]")

    assert [said.partition(" ")[0] for said in mistakes(text)] == ["4:", "7:"]


SECRETS = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="'"),
    min_size=10,
    max_size=40,
)
PLACES = [
    ("secret:dbt", "'{}'"),
    ("secret:dbt", "{}"),
    ("secret:pd", "'{}'"),
    ("secret:pd", "{}"),
    ("secret:pd", "['{}']"),
    ("env:T", "'secret:{}'"),
    ("env:T", "'env:{}'"),
    ("env:S", "'file:{}'"),
    ("env:S", "{{key: '{}'}}"),
    ("env:S", "'{}\n"),
    ("acme", "[ '{}' ]"),
    ("pagerduty", "'{}'"),
    ("version: 1", "version: '{}'"),
    ("page", "['{}']"),
    ("failed", "'{}'"),
    ("secret:pd", "env:A, base_url: 'https://user:{}@x.com'"),
    ("secret:pd", "env:A, base_url: '{}'"),
    ("secret:pd", "env:A, severity: '{}'"),
    ("dbt_cloud: {", "dbt_cloud: {{host: '{}', "),
    ("dbt_cloud: {", "dbt_cloud: {{accounts: ['{}'], "),
]


@given(SECRETS, st.sampled_from(PLACES))
def test_no_value_is_ever_repeated_in_a_mistake(secret: str, place: tuple[str, str]) -> None:
    marked = f"{secret}~%~"
    instead_of, written = place
    text = GOOD.replace(instead_of, written.format(marked))

    assert marked not in said_about(text)
    assert secret not in said_about(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["version", "dbt_cloud", "token", "destinations", "rules", "kind"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_a_file_holds_it_is_read_or_is_a_mistake(content: Any) -> None:
    _, lines = parse("version: 1", "afterrun.yaml")

    with pytest.raises(Mistake, match=r"^afterrun\.yaml:1: "):
        configuration.read(content, lines)


PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_its_page_has_a_smallest_file_that_is_valid() -> None:
    smallest = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    assert smallest
    assert read(smallest[1]).warnings == ()


@pytest.mark.parametrize("model", [DbtCloudSettings, Rule, When, Alert])
def test_its_page_explains_each_key(model: type[BaseModel]) -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [
        key for key in model.model_fields if f"`{key}`" not in page and f"{key}:" not in page
    ] == []
