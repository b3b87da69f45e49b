"""Secrets: who needs which, and what is odd about one, without showing it."""

import pytest

from cli.doctor import secrets
from cli.doctor.secrets import Use
from subscriber import configuration
from subscriber.destinations.pagerduty import PagerDuty
from subscriber.yaml_lines import parse

KEY = "0123456789abcdef0123456789abcdef"
WRITTEN = """
version: 1
dbt_cloud: {token: secret:dbt}
owners: {Ada: {pagerduty: secret:adas-key}}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:key, former_routing_keys: [env:OLD_KEY]}
  second: {kind: pagerduty, routing_key: secret:key}
rules:
  - name: all
    when: {outcome: failed}
    then: [oncall, second]
"""


def a_use(**fields: object) -> Use:
    made = PagerDuty.model_validate({"routing_key": "secret:key", **fields})
    return Use("oncall.routing_key", made, "routing_key")


def test_each_secret_stands_once_with_all_who_need_it() -> None:
    found = secrets.uses(configuration.read(*parse(WRITTEN, "afterrun.yaml")))

    assert {str(ref): [use.what for use in by] for ref, by in found.items()} == {
        "secret:dbt": ["dbt_cloud.token"],
        "secret:key": ["oncall.routing_key", "second.routing_key"],
        "env:OLD_KEY": ["oncall.former_routing_keys"],
        "secret:adas-key": ["owners.Ada.pagerduty"],
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("plain", ""),
        ("secret:other", "a reference"),
        ('"quoted"', "quotes"),
        ("two\nlines", "several lines"),
        ("no\u200bwidth", "cannot be seen"),
    ],
)
def test_what_is_odd_about_any_secret_is_said(value: str, why: str) -> None:
    said = secrets.oddity(value)

    assert why in said
    assert bool(why) is bool(said)
    assert value not in said or not said


def test_what_a_kind_knows_of_its_secret_is_said_with_its_place() -> None:
    assert secrets.misfit(KEY, [a_use()]) == ""
    assert secrets.misfit(KEY[:-1], [Use("dbt_cloud.token"), a_use()]).startswith(
        "for oncall.routing_key it is not right: a routing key has 32 characters, this has 31"
    )
