"""The configuration file: what it means, and what each mistake in it says."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.errors import Mistake
from subscriber import configuration, destinations
from subscriber.configuration import Configuration, DbtCloudSettings, File
from subscriber.destinations.mode import Mode
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.owners import Owner
from subscriber.rules import After, Alert, Nodes, Override, Refresh, Rule, When
from subscriber.yaml_lines import parse
from tests.builders import an_event

KINDS = ", ".join(destinations.names())
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

    assert rule.when.missed(an_event(**matching)) == ""
    assert rule.when.missed(an_event(job_id=8, jobName="other")) == "another job"


def test_a_destination_that_no_rule_names_is_worth_a_warning() -> None:
    found = read(HEAD + DESTINATIONS + "\n".join(RULES.splitlines()[:2]))

    assert tuple(map(str, found.warnings)) == (
        "afterrun.yaml:5:3: destinations.revenue: no rule names this destination",
    )


WHERE_KEPT = "write secret:NAME, secret:NAME@VERSION, env:NAME or file:/path"


@pytest.mark.parametrize(
    ("instead_of", "written", "said"),
    [
        (GOOD, "just text", "1:1: write keys and values here"),
        (GOOD, HEAD, "1:1: `destinations` is missing\n1:1: `rules` is missing"),
        (RULES, "rules: []", "6:1: rules: this list is empty; write at least one"),
        (RULES, "rules:", "6:1: rules: write a list here, such as [one, another]"),
        (RULES, "rules: {a: b}", "6:1: rules: write a list here, such as [one, another]"),
        (RULES, f"{RULES}  - text", "9:5: rules[2]: write keys and values here"),
        (
            DESTINATIONS,
            "destinations: {}\n",
            "3:1: destinations: this is empty; write at least one",
        ),
        (DESTINATIONS, "destinations: [a]\n", "3:1: destinations: write keys and values here"),
        ("version: 1", "version: 2", "1:1: version: write 1"),
        (
            "dbt_cloud:",
            "dbtcloud:",
            "1:1: `dbt_cloud` is missing\n2:1: dbtcloud: unknown key; did you mean `dbt_cloud`?",
        ),
        (
            "token: secret:dbt",
            "tokn: secret:dbt",
            (
                "2:1: dbt_cloud: `token` is missing\n"
                "2:13: dbt_cloud.tokn: unknown key; did you mean `token`?"
            ),
        ),
        (
            "secret:dbt",
            "dbtc_0123456789",
            (
                "2:13: dbt_cloud.token: a secret is written here as it is; write where it is kept: "
                "secret:NAME, secret:NAME@VERSION, env:NAME or file:/path"
            ),
        ),
        (
            "secret:dbt",
            "secret:my token",
            f"2:13: dbt_cloud.token: this secret: reference is malformed; {WHERE_KEPT}",
        ),
        (
            "secret:dbt",
            "secret:dbt, host: http://x",
            "2:32: dbt_cloud.host: write the host of your access URL, such as ab123.us1.dbt.com",
        ),
        (
            "secret:dbt",
            "secret:dbt, accounts: 5",
            "2:32: dbt_cloud.accounts: write a list here, such as [one, another]",
        ),
        (
            "secret:dbt",
            "secret:dbt, accounts: [acme, 1.5]",
            (
                "2:43: dbt_cloud.accounts[0]: write a whole number here\n"
                "2:49: dbt_cloud.accounts[1]: write a whole number here"
            ),
        ),
        (
            "secret:dbt",
            "secret:dbt, base_url: http://x.com, metadata_url: x.com",
            (
                "2:32: dbt_cloud.base_url: plain http is accepted for loopback addresses only; "
                "use https://\n"
                "2:56: dbt_cloud.metadata_url: this is not a URL; it begins with https://"
            ),
        ),
        (
            "kind: pagerduty",
            "kind: pager",
            "4:12: destinations.oncall.kind: `kind` must be one of: " + KINDS,
        ),
        (
            "kind: pagerduty",
            "kind: [pagerduty]",
            "4:12: destinations.oncall.kind: `kind` must be one of: " + KINDS,
        ),
        (
            "kind: pagerduty, ",
            "",
            "4:3: destinations.oncall: `kind` must be one of: " + KINDS,
        ),
        (
            "{kind: pagerduty, routing_key: secret:pd}",
            "pagerduty",
            "4:3: destinations.oncall: write keys and values here",
        ),
        (
            "routing_key",
            "routingkey",
            (
                "4:3: destinations.oncall: `routing_key` is missing\n"
                "4:29: destinations.oncall.routingkey: unknown key; did you mean `routing_key`?"
            ),
        ),
        (
            "secret:pd",
            "secret:pd, severity: high",
            "4:53: destinations.oncall.severity: write 'critical', 'error', 'warning' or 'info'",
        ),
        (
            "report: r1",
            "report: 123456789012",
            (
                "5:42: destinations.revenue.report: "
                "write text here; what looks like a number goes in quotes"
            ),
        ),
        (
            "outcome: failed",
            "outcome: [failed, errored]",
            (
                "7:43: rules[0].when.outcome[1]: write 'failed', 'succeeded', 'warned', 'clean', "
                "'started' or 'cancelled'"
            ),
        ),
        (
            "outcome: failed",
            "outcome: []",
            "7:25: rules[0].when.outcome: this list is empty; write at least one",
        ),
        (
            "outcome: failed",
            "outcome: failed, job: ",
            "7:42: rules[0].when.job: this is empty; leave the key out for everything",
        ),
        (
            "outcome: failed",
            "outcome: failed, job: []",
            (
                "7:42: rules[0].when.job: this list is empty: it can never match; "
                "leave the key out for everything"
            ),
        ),
        (
            "outcome: failed",
            "outcome: failed, jobs: 7",
            "7:42: rules[0].when.jobs: unknown key; did you mean `job`?",
        ),
        (
            "outcome: failed",
            "outcome: failed, xyz: 7",
            (
                "7:42: rules[0].when.xyz: unknown key; known are: "
                "outcome, event, account, project, environment, job, trigger, nodes"
            ),
        ),
        (
            "then: [oncall]",
            "then: oncall",
            "7:43: rules[0].then: write a list here, such as [one, another]",
        ),
        (
            "then: [oncall]",
            "then: [oncal]",
            "7:50: rules[0].then[0]: no destination bears this name; did you mean `oncall`?",
        ),
        (
            "then: [oncall]",
            "then: [slack]",
            "7:50: rules[0].then[0]: no destination bears this name; known are: oncall, revenue",
        ),
        (
            "then: [oncall]",
            "then: [oncall, revenue]",
            (
                "7:25: rules[0].when.outcome: `revenue` refreshes on good data only: "
                "it has nothing to do when a run failed; ask for succeeded or clean or warned"
            ),
        ),
        (
            "outcome: failed",
            "outcome: [failed, succeeded]",
            (
                "7:25: rules[0].when.outcome: `oncall` opens an alert for a problem and closes it "
                "when it is over: it has nothing to do when a run succeeded; "
                "ask for failed or warned"
            ),
        ),
        ("name: refresh", "name: page", "8:6: rules[1].name: another rule has this name"),
        ("name: refresh", "name: ''", "8:6: rules[1].name: this is empty"),
        (
            "name: page",
            "name: page, alert: {per: team}",
            "7:26: rules[0].alert.per: write 'job', 'node' or 'run'",
        ),
        (
            "name: page",
            "name: page, alert: {remind: 5m}",
            "7:26: rules[0].alert.remind: write a duration from 10m to 28d",
        ),
        (
            "name: page",
            "name: page, alert: {remind: daily}",
            "7:26: rules[0].alert.remind: write a duration, such as 90s, 10m, 24h or 7d",
        ),
        (
            "name: page",
            "name: page, alert: {auto_close: maybe}",
            "7:26: rules[0].alert.auto_close: write true or false here",
        ),
        (
            "name: page",
            "name: page, alert: {after: {runs: 1001, hours: 1}}",
            (
                "7:34: rules[0].alert.after.runs: write a number less than or equal to 1000\n"
                "7:46: rules[0].alert.after.hours: unknown key; known are: runs, minutes"
            ),
        ),
        (
            "name: page",
            "name: page, alert: {per: run, after: {runs: 2}}",
            (
                "7:18: rules[0].alert: `per: run` counts no further runs: "
                "leave out `after: {runs: ...}`"
            ),
        ),
        (
            "name: page",
            "name: page, alert: ",
            (
                "7:18: rules[0].alert: this is empty; "
                "leave the key out, or write false to tell each run"
            ),
        ),
        (
            "outcome: failed",
            "outcome: failed, nodes: {tags: a}",
            "7:50: rules[0].when.nodes.tags: unknown key; did you mean `tag`?",
        ),
        (
            "outcome: failed",
            "outcome: failed, nodes: {}",
            "7:42: rules[0].when.nodes: this is empty; leave the key out for every node",
        ),
        (
            "outcome: failed",
            "outcome: failed, job: '!!a'",
            (
                "7:42: rules[0].when.job: write one `!`; "
                "a name that begins with it is written `name:!...`"
            ),
        ),
        (
            "version: 1",
            "version: 1\nmax_event_age: 24",
            "2:1: max_event_age: write a duration, such as 90s, 10m, 24h or 7d",
        ),
        (
            "version: 1",
            "version: 1\nowners: {Finance: {slak: U012AB3CD}}",
            "2:20: owners.Finance.slak: unknown key; did you mean `slack`?",
        ),
        (
            "version: 1",
            "version: 1\nowners: {Finance: {}}",
            "2:10: owners.Finance: say how to reach this owner: `pagerduty` or `slack`",
        ),
        (
            "version: 1",
            "version: 1\nowners: {Finance: {slack: U012AB3CD}, finance : {slack: U012AB3CE}}",
            "2:39: owners.finance: another owner has this name; capitals do not matter",
        ),
        (
            "version: 1",
            "version: 1\nowners: {'': {slack: U012AB3CD}}",
            "2:10: owners.: an owner has no name; write that of dbt, or an e-mail",
        ),
        (
            "version: 1",
            "version: 1\nowners: {Finance: {pagerduty: 0123456789abcdef}}",
            (
                "2:20: owners.Finance.pagerduty: a secret is written here as it is; "
                f"{WHERE_KEPT.replace('write ', 'write where it is kept: ')}"
            ),
        ),
    ],
)
def test_a_mistake_says_where_what_and_how_to_mend_it(
    instead_of: str, written: str, said: str
) -> None:
    assert instead_of in GOOD

    assert mistakes(GOOD.replace(instead_of, written)) == said.split("\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/b", "a destination's name has no `/`; write another letter"),
        ("''", "this is empty"),
        ("' a'", "write this name on one line, without white space around it"),
        ('"a\\nb"', "write this name on one line, without white space around it"),
        ('"\\ud800"', "write this name on one line, without white space around it"),
        ("x" * 101, "this name is too long; write at most 100 characters"),
    ],
)
def test_a_destination_has_a_name_that_the_ledger_can_hold(name: str, said: str) -> None:
    text = GOOD.replace("oncall", name)

    told = said_about(text)

    assert f": {said}" in told
    assert told.startswith("afterrun.yaml:4:3: destinations.")


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
    kind: pigeon
rules:
  - name: page
    when: {outcome: failed, jobs: 7}
    then: oncall
  - when: {}
    then: []
"""

    assert [said.partition(" ")[0] for said in mistakes(text)] == [
        *["3:3:", "7:5:", "8:5:", "10:5:", "13:29:", "14:5:", "15:5:", "15:5:", "16:5:"]
    ]


def test_rules_are_looked_at_though_a_destination_is_wrong() -> None:
    text = HEAD + DESTINATIONS.replace("secret:pd", "literal") + RULES.replace("[oncall]", "[on]")

    assert [said.partition(" ")[0] for said in mistakes(text)] == ["4:29:", "7:50:"]


def test_rules_are_looked_at_though_others_cannot_be_read() -> None:
    text = (
        HEAD.replace("token", "tokn")
        + DESTINATIONS
        + """\
rules:
  - {name: a, when: {outcome: [failed]}, then: [on]}
  - {name: b, when: {outcome: wrong}, then: [oncall]}
  - {name: a, when: {outcome: succeeded, job: [x, '!x']}, then: [revenue]}
overrides:
  - {environment: dev, then: [on]}
  - {environment: '', then: [oncall]}
"""
    )

    assert [said.partition(":")[0] for said in mistakes(text)] == [
        *["2", "2", "7", "8", "9", "9", "11", "12"]
    ]


def test_names_that_nothing_bears_are_said_of_rules_too_that_have_other_mistakes() -> None:
    wrong = RULES.replace("outcome: failed", "outcome: fail").replace("[oncall]", "[oncal]")
    wrong = wrong.replace("outcome: succeeded", "outcome: success").replace("[revenue]", "[revenu]")

    said = mistakes(HEAD + DESTINATIONS + wrong)

    assert [each.partition(": ")[2].partition(":")[0] for each in said] == [
        "rules[0].when.outcome[0]",
        "rules[0].then[0]",
        "rules[1].when.outcome[0]",
        "rules[1].then[0]",
    ]


def test_a_file_says_whose_nodes_are_whose_how_old_is_old_and_what_goes_elsewhere() -> None:
    found = read(
        GOOD.replace("version: 1", "version: 1\nmax_event_age: 2h")
        + """\
owners:
  Finance: {slack: U012AB3CD, pagerduty: secret:pd-finance}
overrides:
  - {environment: [dev, 'test*'], then: [oncall]}
"""
    )

    assert found.max_event_age == timedelta(hours=2)
    assert found.owners["Finance"].slack == "U012AB3CD"
    assert found.overrides[0].then == ("oncall",)


def test_a_key_that_is_no_word_is_not_shown_since_it_may_be_a_secret() -> None:
    (said,) = mistakes(GOOD.replace("secret:dbt}", "secret:dbt, dbtc_0123456789: }"))

    assert said == (
        "2:32: dbt_cloud.(not shown): unknown key; "
        "known are: host, token, accounts, base_url, metadata_url"
    )


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
    ("dbt_cloud: {", "dbt_cloud: {{'{}': x, "),
    ("version: 1", "max_event_age: '{}'"),
    ("version: 1", "owners: {{Finance: {{pagerduty: '{}'}}}}"),
    ("version: 1", "owners: {{Finance: {{slack: '{}'}}}}"),
    ("page", "page, alert: {{remind: '{}'}}"),
    ("page", "page, alert: '{}'"),
    ("failed", "failed, nodes: '{}'"),
    ("failed", "failed, nodes: {{'{}': x}}"),
    ("failed", "failed, account: '{}'"),
    ("failed", "failed, event: '{}'"),
    ("[oncall]", "['{}']"),
    ("[oncall]", "'{}'"),
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

    with pytest.raises(Mistake, match=r"^afterrun\.yaml:1:1: "):
        configuration.read(content, lines)


PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def written(pattern: str, page: Path) -> list[str]:
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL)


BLOCKS = [
    block
    for page in (PAGE, PAGE.parents[1] / "README.md")
    for block in written(r"```yaml\n(.*?)```", page)
]
COMPLETE = [block for block in BLOCKS if block.startswith("version:")]
PARTS = [block for block in BLOCKS if not block.startswith("version:")]


@pytest.mark.parametrize("block", COMPLETE)
def test_its_page_has_complete_files_that_are_valid(block: str) -> None:
    assert read(block).warnings == ()


@pytest.mark.parametrize("block", PARTS)
def test_its_page_has_parts_that_are_valid_in_a_file(block: str) -> None:
    part, _ = parse(block, "afterrun.yaml")
    kinds = {
        "oncall": "{kind: pagerduty, routing_key: secret:pd}",
        "finance": "{kind: pagerduty, routing_key: secret:finance}",
        "sandbox": "{kind: pagerduty, routing_key: secret:sandbox}",
        "revenue": "{kind: mode, workspace: acme, report: r1, token: env:T, secret: env:S}",
        "data-alerts": "{kind: pagerduty, routing_key: secret:data}",
    }
    named = [name for name in kinds if re.search(rf"\b{name}\b", block)]
    head = HEAD + ("" if "destinations" in part else "destinations:\n")
    listed = (
        ""
        if "destinations" in part
        else "".join(f"  {name}: {kinds[name]}\n" for name in dict.fromkeys(("oncall", *named)))
    )
    rules = "" if "rules" in part else RULES.replace(RULES.splitlines()[2] + "\n", "")

    found = read(head + listed + block + rules)

    assert found.rules


def test_its_page_has_an_example_of_every_key_of_the_file() -> None:
    keys = {key for block in BLOCKS for key in parse(block, "afterrun.yaml")[0]}

    assert keys == set(File.model_fields)
    assert len(COMPLETE) > 1
    assert len(PARTS) > 3


@pytest.mark.parametrize(
    "model", [File, DbtCloudSettings, Rule, When, Nodes, Alert, After, Refresh, Override, Owner]
)
def test_its_page_explains_each_key(model: type[BaseModel]) -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [key for key in model.model_fields if f"| `{key}`" not in page] == []


EXAMPLE = PAGE.parents[1] / "afterrun.example.yaml"


def test_each_kind_that_the_example_file_shows_has_the_keys_that_it_needs() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    commented = re.findall(r"^  # ([\w-]+: \{kind: .*?\})$", text, re.DOTALL | re.MULTILINE)
    others = "".join(f"  {lines}\n".replace("\n  # ", "\n    ") for lines in commented)
    found = read(text.replace("destinations:\n", f"destinations:\n{others}", 1))

    assert len({each.kind() for each in found.destinations.values()}) > 10


def test_the_example_file_shows_every_key_that_a_rule_or_an_alert_may_have() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert read(text).warnings == ()
    models = (File, Rule, When, Nodes, Alert, After, Refresh, Override, Owner)
    keys = {key for model in models for key in model.model_fields}
    assert [key for key in sorted(keys) if f"{key}:" not in text] == []
