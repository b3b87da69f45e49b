"""The most that the service would ask: never less, whatever it remembers."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.backtest.questions import asked
from cli.history import ASKED, Entry
from cli.rehearsal import Rehearsal
from shared.event import RunEvent
from subscriber.configuration import Configuration, read
from subscriber.run import Answer, Question, Status
from subscriber.yaml_lines import parse
from tests.builders import NOW, a_body, a_good_body, a_result, an_event

HEAD = """
version: 1
dbt_cloud: {token: env:TOKEN}
destinations: {team: {kind: slack, webhook_url: env:URL}}
rules:
"""
RULES = (
    "{outcome: failed}",
    "{outcome: failed, job: 8}",
    "{outcome: failed, nodes: {name: orders}}",
    "{outcome: [failed, warned], job: 7}",
    "{outcome: succeeded}",
    "{outcome: clean, job: 8}",
    "{outcome: cancelled}",
)


def a_configuration(*rules: str, per: str = "job") -> Configuration:
    written = [
        f"  - {{name: r{n}, when: {when}, {_alert(when, per)}then: [team]}}\n"
        for n, when in enumerate(rules)
    ]
    return read(*parse(HEAD + "".join(written), "rules.yaml"))


def _alert(when: str, per: str) -> str:
    is_of_problems = "failed" in when or "warned" in when
    return f"alert: {{per: {per}}}, " if is_of_problems else ""


@pytest.mark.parametrize(
    ("rule", "code", "expected"),
    [
        ("{outcome: failed}", 20, "all"),
        ("{outcome: failed}", 10, "none"),
        ("{outcome: failed}", 30, "none"),
        ("{outcome: failed, job: 8}", 20, "none"),
        ("{outcome: succeeded}", 10, "none"),
        ("{outcome: warned}", 10, "all"),
        ("{outcome: clean}", 10, "all"),
        ("{outcome: warned, job: 8}", 10, "none"),
        ("{outcome: failed, nodes: {tag: x}}", 10, "all"),
        ("{outcome: failed, nodes: {tag: x}, environment: Staging}", 10, "none"),
        ("{outcome: failed, nodes: {tag: x}, job: 8}", 10, "all"),
    ],
)
def test_what_is_asked_at_most(rule: str, code: int, expected: str) -> None:
    assert asked([a_configuration(rule)], an_event(code=code)) == expected


def test_alerts_of_single_nodes_may_be_ended_by_any_good_run() -> None:
    per_node = a_configuration("{outcome: failed, job: 8}", per="node")

    assert asked([per_node], an_event(code=10)) == "all"


def test_two_configurations_ask_what_either_asks() -> None:
    quiet, asking = a_configuration("{outcome: failed}"), a_configuration("{outcome: warned}")

    assert asked([quiet, asking], an_event(code=10)) == "all"


class Listening(Rehearsal):
    """Notes whether the service asks for more than was said that it would."""

    def about(self, event: RunEvent, question: Question) -> Answer:
        most = asked([self.configuration], event)
        assert ASKED.index(question.results) <= ASKED.index(most)
        return super().about(event, question)


RUN = st.tuples(st.sampled_from([7, 8]), st.booleans(), st.sets(st.sampled_from("ab"), min_size=1))


@given(
    rules=st.lists(st.sampled_from(RULES), min_size=1, max_size=3, unique=True),
    per=st.sampled_from(["job", "node", "run"]),
    runs=st.lists(RUN, max_size=8),
)
@settings(max_examples=60)
def test_the_service_never_asks_for_more(
    rules: list[str], per: str, runs: Sequence[tuple[int, bool, set[str]]]
) -> None:
    rehearsal = Listening(a_configuration(*rules, per=per), NOW)

    for number, (job, is_bad, names) in enumerate(runs):
        status = Status.FAILED if is_bad else Status.WARNED
        results = tuple(a_result(f"model.shop.{name}", status=status) for name in sorted(names))
        body = (a_body if is_bad else a_good_body)(
            event_id=f"wev_{number}", run_id=100 + number, job_id=job
        )
        entry = Entry(body, Answer(results=results, is_complete=True))
        rehearsal.hear(entry, NOW + timedelta(hours=number))
