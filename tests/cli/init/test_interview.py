"""The interview: what is asked, what the command line has said, and what is not taken."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.init import interview, starting
from cli.init.interview import TRIES, Interview
from cli.init.starting import Start
from shared.errors import Mistake

GIVEN = {"account": "12345", "pagerduty": "secret:pd"}
MODE = {"workspace": "acme", "report": "r1", "token": "env:T", "secret": "env:S"}


class Talk:
    """Somebody who answers, and what they were asked and told."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.told: list[str] = []

    def ask(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise Mistake("nobody answers")
        return self.answers.pop(0)

    def start(self, given: dict[str, str] | None = None, **sets: str) -> Start:
        return Interview(given or {}, sets, self.ask, self.told.append).start()


def started(given: dict[str, str], **sets: str) -> Start:
    """What comes of the command line alone."""
    return Interview(given, sets, None, print).start()


def mistake(given: dict[str, str], **sets: str) -> str:
    with pytest.raises(Mistake) as raised:
        started(given, **sets)
    return str(raised.value)


def test_each_question_has_its_turn_and_what_is_usual() -> None:
    talk = Talk(["", "12345", "", "", "secret:pd", "slack", "", "", ""])

    start = talk.start()

    assert start == Start(
        host="cloud.getdbt.com",
        token="secret:dbt-cloud-service-token",
        environment="Production",
        account="12345",
        pagerduty="secret:pd",
        chat={"kind": "slack", "webhook_url": "secret:slack-data-alerts"},
    )
    assert talk.asked == [
        "Host of your access URL in dbt Cloud [cloud.getdbt.com]: ",
        "Account id, the number in its URLs: ",
        "Where is the service token kept? [secret:dbt-cloud-service-token]: ",
        "Environment of production [Production]: ",
        "Where is PagerDuty's integration key kept? Empty: no pager: ",
        "Chat: none, slack or teams [none]: ",
        "Where is the webhook's URL, or the bot's token, kept? [secret:slack-data-alerts]: ",
        "The bot's channel, such as C0123456789. Empty: it is a webhook: ",
        "Dashboard to refresh: none, hex, looker, mode, power_bi or tableau [none]: ",
    ]
    assert talk.told == []


def test_what_the_command_line_has_said_is_not_asked() -> None:
    talk = Talk(["", "", "", "none"])

    start = talk.start({**GIVEN, "teams": "env:FLOW"})

    assert start.chat == {"kind": "teams", "webhook_url": "env:FLOW"}
    assert len(talk.asked) == 4


def test_a_dashboard_is_asked_for_what_its_kind_needs() -> None:
    talk = Talk(["Mode", "acme", "r1", "env:T", "env:S", "Revenue marts"])
    rest = {"host": "x.dbt.com", "token": "env:X", "environment": "Production"}

    start = talk.start({**GIVEN, **rest, "slack": "env:A", "channel": "C0123"})

    assert start.dashboard == {"kind": "mode", **MODE}
    assert start.job == "Revenue marts"
    assert "report: the report's token" in talk.asked[2]


@pytest.mark.parametrize("kind", interview.dashboards())
def test_each_kind_is_asked_for_all_that_it_needs(kind: str) -> None:
    some = {
        "project": "cfafbeb1-8037-4d0c-896e-a46fb27ff229",
        "workspace": "cfafbeb1-8037-4d0c-896e-a46fb27ff229",
        "dataset": "cfafbeb1-8037-4d0c-896e-a46fb27ff229",
        "tenant": "shop.onmicrosoft.com",
        "base_url": "https://x.example",
        "datagroup": "shop::daily",
        "token": "env:T",
        "secret": "env:S",
        "client_secret": "env:S",
    }
    answers = [some.get(key, "x") for key in interview.needed(kind)]
    talk = Talk(["", "", "", "", "", "", kind, *answers, ""])

    text = starting.text(talk.start())

    assert starting.read(text).destinations["dashboard"].kind() == kind


def test_an_answer_that_is_not_taken_is_asked_for_again() -> None:
    talk = Talk(
        ["https://a b", "https://ab123.us1.dbt.com/", "none", "12", "", "", "env:K", "", ""]
    )

    start = talk.start()

    assert (start.host, start.account) == ("ab123.us1.dbt.com", "12")
    assert talk.told == [
        "write the host of your access URL, such as ab123.us1.dbt.com",
        "write the account's id, digits alone",
    ]


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8))
def test_a_secret_that_is_typed_in_is_refused_and_not_repeated(secret: str) -> None:
    typed = f"dbtc_{secret}"
    talk = Talk([*["", "", *[typed] * TRIES]])

    with pytest.raises(Mistake) as raised:
        talk.start()

    assert typed not in "".join([*talk.told, *talk.asked, str(raised.value)])
    assert "a secret is written here as it is" in talk.told[0]


@pytest.mark.parametrize(
    ("given", "sets", "said"),
    [
        ({"token": "dbtc_hunter2hunter2"}, {}, "--token: a secret is written here as it is"),
        ({"pagerduty": "hunter2"}, {}, "--pagerduty: a secret is written here as it is"),
        ({"host": "a b"}, {}, "--host: write the host of your access URL"),
        ({"account": "acme"}, {}, "--account: write the account's id, digits alone"),
        ({"environment": "!!x"}, {}, "--environment: write one `!`"),
        ({"dashboard": "grafana"}, {}, "--dashboard: write one of: none, hex, looker"),
        ({"slack": "env:A", "teams": "env:B"}, {}, "--slack and --teams: write one"),
        ({"slack": "env:A", "channel": "a/b"}, {}, "--channel: write the channel's id"),
        ({"channel": "C0"}, {}, "--channel: means nothing without --slack"),
        ({"job": "x"}, {}, "--job: means nothing without a dashboard"),
        ({}, {"report": "x"}, "--set: means nothing without a dashboard"),
        ({"dashboard": "mode"}, {"reprot": "x"}, "--set: mode has no such key; did you mean `rep"),
        ({"dashboard": "mode"}, {"report": "x"}, "--set workspace=...: missing; its name in"),
        (
            {"dashboard": "mode"},
            {**MODE, "token": "hunter2hunter2"},
            "--set token: a secret is written here as it is",
        ),
    ],
)
def test_a_flag_that_is_wrong_is_named(
    given: dict[str, str], sets: dict[str, str], said: str
) -> None:
    told = mistake(given, **sets)

    assert told.startswith(said)
    assert "hunter2" not in told


def test_what_a_dashboard_takes_beside_what_it_needs_may_be_set() -> None:
    sets = {**MODE, "base_url": "https://eu.mode.example"}

    start = started({**GIVEN, "dashboard": "mode"}, **sets)

    assert start.dashboard == {"kind": "mode", **sets}


def test_a_datasource_of_tableau_takes_the_place_of_a_workbook() -> None:
    sets = {"base_url": "https://x.example", "site": "", "token_name": "a", "token": "env:T"}

    start = started({**GIVEN, "dashboard": "tableau"}, **sets, datasource="Sales")

    assert starting.read(starting.text(start)).warnings == ()
    assert "workbook" not in start.dashboard
