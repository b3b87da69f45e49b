"""Teams: what a flow is told and how it refuses, as the lab's stand-in does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from lab import teams_card
from lab.faults import Fault
from lab.serve import serve
from lab.teams import PATH, QUERY
from lab.teams import Teams as StandIn
from shared.errors import PermanentFailure
from subscriber.actions import Message, Verb
from subscriber.destinations.teams import MESSAGE_LIMIT_BYTES, Teams, is_retired
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome, encode
from tests.builders import Clock, a_node, a_told, an_action
from tests.subscriber.test_destinations.golden import CASES, NASTY, a_case
from tests.subscriber.test_destinations.world import World

FLOW = "https://default0.e5.environment.api.powerplatform.com:443"
RETIRED = "https://acme.webhook.office.com/webhookb2/0123@4567/IncomingWebhook/89ab/cdef"


class Unhurried(Clock):
    """A clock on which a day passes between any two looks: no limit is ever reached."""

    def __call__(self) -> Any:
        self.passes(timedelta(days=1).total_seconds())
        return self.now


def a_teams(webhook_url: str, **fields: Any) -> Teams:
    """As it is when its secret has been read."""
    made = Teams.model_validate({"webhook_url": "env:FLOW", **fields})
    return made.with_secrets(lambda _: webhook_url)


@contextmanager
def a_served_flow(path: str = PATH, query: str = QUERY) -> Iterator[tuple[str, StandIn]]:
    """The flow's own URL as long as the block lasts, and the flow."""
    flow = StandIn(path=path, query=query, clock=Unhurried())
    with serve(flow.app) as url:
        yield url + flow.url, flow


@contextmanager
def a_world() -> Iterator[World]:
    with a_served_flow() as (url, flow):
        yield World(
            destination=a_teams(url),
            action=an_action(),
            faults=flow.faults,
            carried_out=lambda: len(flow.posted),
            has_handle=False,
        )


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, StandIn]]:
    with a_served_flow() as served:
        yield served


@pytest.fixture
def flow(served: tuple[str, StandIn]) -> Iterator[StandIn]:
    flow = served[1]
    yield flow
    flow.is_on, flow.anyone, flow.takes, flow.wanted = True, True, "envelope", frozenset()


@pytest.fixture
def teams(served: tuple[str, StandIn]) -> Teams:
    return a_teams(served[0])


def told(message: Message, **fields: Any) -> dict[str, Any]:
    return a_teams("", **fields).told(an_action(message=message))


def is_posted(message: dict[str, Any]) -> bool:
    """Whether the flow would post it, by all that is known of what it does not."""
    sent = json.loads(encode(message))
    is_small = len(encode(message)) <= teams_card.MESSAGE_LIMIT_BYTES
    return is_small and not list(teams_card.errors_in_message(sent))


def test_a_problem_is_a_card_in_the_channel(teams: Teams, flow: StandIn) -> None:
    teams.deliver(an_action(message=a_told(headline="Daily build failed")), Outbound())

    card = flow.posted[-1]
    assert [part["text"] for part in card["body"][:2]] == ["Failed", "Daily build failed"]
    assert card["actions"][0]["url"] == a_told().link


@pytest.mark.parametrize("verb", [Verb.OPEN, Verb.UPDATE, Verb.REMIND, Verb.CLOSE, Verb.TELL])
def test_each_thing_is_a_message_of_its_own(teams: Teams, flow: StandIn, verb: Verb) -> None:
    before = len(flow.posted)

    teams.deliver(an_action(verb), Outbound())

    assert len(flow.posted) == before + 1


def test_the_url_arrives_to_the_letter() -> None:
    query = (
        "api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a-b_c~d.E&empty=&x=%2B%20%3D%26&x=2"
    )
    path = "/powerautomate/automations/direct/workflows/0123/triggers/manual/paths/invoke"
    with a_served_flow(path=path, query=query) as (url, flow):
        a_teams(url).deliver(an_action(), Outbound())

    (request,) = flow.requests
    assert (request.status, request.url) == (202, f"{path}?{query}")


def test_another_host_is_asked_for_the_same_path_to_the_letter(
    served: tuple[str, StandIn], flow: StandIn
) -> None:
    here = served[0].removesuffix(flow.url)

    a_teams(FLOW + flow.url, base_url=here).deliver(an_action(), Outbound())

    assert flow.requests[-1].url == flow.url
    assert a_teams(FLOW + flow.url).address() == FLOW + flow.url


def test_white_space_around_what_is_kept_is_not_part_of_it() -> None:
    assert a_teams(f" {FLOW}/flow?sig=x\n").address() == f"{FLOW}/flow?sig=x"


@pytest.mark.parametrize(
    "kept", ["", "hello", "http://x.example/flow", "https://x.example", "https://u:p@x/y"]
)
def test_what_is_no_address_is_refused_before_anything_is_sent(kept: str) -> None:
    with pytest.raises(PermanentFailure, match=r"webhook_url: .* copy the whole of it anew"):
        a_teams(kept).deliver(an_action(), Outbound())


def test_a_flow_built_by_hand_gets_the_bare_card(
    served: tuple[str, StandIn], flow: StandIn
) -> None:
    flow.takes = "bare card"

    a_teams(served[0], bare_card=True).deliver(an_action(), Outbound())

    assert json.loads(flow.requests[-1].body) == flow.posted[-1]
    assert flow.posted[-1]["type"] == "AdaptiveCard"


@pytest.mark.parametrize(
    ("changed", "status", "fix"),
    [
        ({"is_on": False}, 400, "WorkflowTriggerIsNotEnabled: the flow is off or deleted; turn it"),
        ({"anyone": False}, 401, "DirectApiAuthorizationRequired: .*let `Anyone` trigger it"),
        ({"wanted": {"x"}}, 400, "TriggerInputSchemaMismatch: .* a schema of its own; remove"),
    ],
)
def test_each_refusal_of_the_flow_names_its_fix(
    teams: Teams, flow: StandIn, changed: dict[str, Any], status: int, fix: str
) -> None:
    for name, value in changed.items():
        setattr(flow, name, value)

    with pytest.raises(Refused, match=fix) as raised:
        teams.deliver(an_action(), Outbound())

    assert raised.value.status == status


@pytest.mark.parametrize(
    ("written", "instead", "status", "fix"),
    [
        ("sig=s1gn", "sig=wrong", 401, "the URL's signature is wrong; copy its URL anew"),
        ("api-version=", "version=", 400, "MissingApiVersionParameter: .* lacks its query; copy"),
        ("/workflows/0", "/workflows/f", 401, "404 WorkflowNotFound: there is no such flow"),
    ],
)
def test_each_refusal_of_the_url_names_its_fix_and_shows_nothing_of_it(
    served: tuple[str, StandIn], written: str, instead: str, status: int, fix: str
) -> None:
    url = served[0].replace(written, instead)

    with pytest.raises(Refused, match=fix) as raised:
        a_teams(url).deliver(an_action(), Outbound())

    assert url != served[0]
    assert raised.value.status == status
    assert "sig" not in str(raised.value).replace("signature", "")
    assert "workflows/" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (400, "its trigger should be the template's"),
        (401, "let `Anyone` trigger it"),
        (403, "let `Anyone` trigger it"),
        (404, "there is no such flow"),
        (410, "there is no such flow"),
        (413, "too large for the flow"),
        (307, "a redirect.* copy its URL anew"),
    ],
)
def test_a_refusal_that_says_nothing_is_explained_by_its_status(
    teams: Teams, flow: StandIn, status: int, fix: str
) -> None:
    flow.faults.next(Fault("answer", status=status, headers={"Location": "https://x.example/"}))

    with pytest.raises(Refused, match=f"answered {status}.*{fix}"):
        teams.deliver(an_action(), Outbound())


def test_a_code_that_nobody_knows_is_not_repeated(teams: Teams, flow: StandIn) -> None:
    echo = {"error": {"code": "sig=s1gn", "message": "sig=s1gn"}}
    flow.faults.next(Fault("answer", status=400, body=echo))

    with pytest.raises(Refused) as raised:
        teams.deliver(an_action(), Outbound())

    assert "s1gn" not in str(raised.value)


def test_what_is_too_fast_waits(teams: Teams, flow: StandIn) -> None:
    flow.faults.next(Fault("answer", status=429))

    with pytest.raises(Busy) as raised:
        teams.deliver(an_action(), Outbound())

    assert (raised.value.status, raised.value.retry_after_s) == (429, 30)


@pytest.mark.parametrize("fault", [Fault("cut"), Fault("lost")], ids=["cut", "lost"])
def test_a_card_that_may_have_been_posted_is_not_posted_again_by_itself(
    teams: Teams, flow: StandIn, fault: Fault
) -> None:
    before = len(flow.posted)
    flow.faults.next(fault)

    with pytest.raises(UnknownOutcome):
        teams.deliver(an_action(), Outbound())

    assert len(flow.posted) == before + (fault.kind == "lost")


@pytest.mark.parametrize(
    "url",
    [
        RETIRED,
        RETIRED.upper().replace("HTTPS", "https"),
        "https://outlook.office.com/webhook/0123/IncomingWebhook/89ab",
        "https://outlook.office365.com/webhook/0123",
        "https://outlook.office365.com:443/webhookb2/0123",
    ],
)
def test_the_url_of_a_retired_connector_is_refused_with_what_to_make_instead(url: str) -> None:
    with pytest.raises(
        PermanentFailure, match="retired; in Teams, open the channel's Workf"
    ) as one:
        a_teams(url).deliver(an_action(), Outbound())
    with pytest.raises(ValidationError, match=r"open the channel's Workflows.*secret:NAME") as two:
        Teams.model_validate({"webhook_url": url})

    assert "0123" not in f"{one.value} {two.value}"


@pytest.mark.parametrize(
    "url",
    [
        f"{FLOW}/workflows/0123?sig=x",
        "https://prod-01.westeurope.logic.azure.com:443/workflows/0123?sig=x",
        "https://outlook.office.com/mail",
        "https://x.example/webhook.office.com",
        "https://[",
        "",
    ],
)
def test_another_url_is_not_taken_for_a_connectors(url: str) -> None:
    assert not is_retired(url)


def test_a_whole_url_written_down_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="write where it is kept: secret:NAME") as raised:
        Teams(webhook_url=SecretStr(f"{FLOW}/flow?sig=s1gn"))

    assert "s1gn" not in str(raised.value)


HUGE: dict[str, Message] = {
    "one huge error": a_told(nodes=(a_node(message="x" * 100_000),)),
    "a huge log": a_told(nodes=(), text="line\n" * 20_000),
    "nothing but marks": a_told(nodes=(a_node(message="*_[]`" * 20_000),)),
    "no plain characters": a_told(nodes=(a_node(message="🙂" * 100_000),)),
    "much to escape in JSON": a_told(nodes=(a_node(message='"\\\x01\x00' * 25_000),)),
    "right to left": a_told(headline="\u05d0" * 100_000),
    "many nodes": a_told(nodes=tuple(a_node(name=f"n_{i}", message="x" * 500) for i in range(999))),
    "a huge headline": a_told(headline="*" * 100_000),
    "huge facts": a_told(facts={"job": "_" * 100_000}),
    "huge everything": a_told(
        headline=NASTY * 500,
        source=NASTY * 500,
        note=NASTY * 500,
        text=NASTY * 500,
        link="https://x.example/" + "x" * 100_000,
        facts={NASTY * 500: NASTY * 500},
        nodes=(a_node(**dict.fromkeys(("name", "message", "path", "owner"), NASTY * 500)),) * 3,
        new=(NASTY * 500,) * 3,
        causes=(NASTY * 500,) * 3,
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_too_large_is_cut_and_says_so(what: str) -> None:
    message = told(HUGE[what])

    assert len(encode(message)) <= MESSAGE_LIMIT_BYTES
    assert is_posted(message)
    left_out = message["attachments"][0]["content"]["body"][-1]["text"]
    assert "eft out here" in left_out


def test_a_message_of_the_limit_is_left_whole() -> None:
    def message_of(size: int) -> dict[str, Any]:
        return told(a_told(nodes=(a_node(message="x" * size),)))

    fits = MESSAGE_LIMIT_BYTES - len(encode(message_of(1))) + 1

    assert len(encode(message_of(fits))) == MESSAGE_LIMIT_BYTES
    assert is_posted(message_of(fits))
    assert "eft out" not in encode(message_of(fits)).decode()
    assert "eft out" in encode(message_of(fits + 1)).decode()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bare_card", [False, True])
def test_every_case_is_posted(case: str, *, bare_card: bool) -> None:
    message = a_teams("", bare_card=bare_card).told(a_case("teams", case))

    errors = teams_card.errors_in_card if bare_card else teams_card.errors_in_message
    assert list(errors(message)) == []


TEXT = st.text(max_size=40)


@settings(max_examples=60)
@given(
    headline=TEXT, note=TEXT, text=TEXT, name=TEXT, error=TEXT, link=TEXT, times=st.integers(1, 900)
)
def test_whatever_the_message_the_card_is_posted(
    headline: str, note: str, text: str, name: str, error: str, link: str, times: int
) -> None:
    node = a_node(name=name, kind=name, message=error * times, owner=name, tags=(name,))

    message = told(
        a_told(headline=headline, note=note, text=text * times, link=link, nodes=(node,) * 3)
    )

    assert is_posted(message)


def test_a_look_reaches_the_host_and_not_the_flow() -> None:
    with a_served_flow() as (url, flow):
        found = a_teams(url).examine(Outbound())

    assert (found.said, found.is_tried) == ("127.0.0.1 answers; untried: the flow", False)
    assert flow.posted == []


@pytest.mark.parametrize("kept", [RETIRED, "https://default0.e5.environment.api.powerplatform.com"])
def test_what_is_no_flows_url_is_recognised(kept: str) -> None:
    said = a_teams(kept).misfit("webhook_url")

    assert said
    assert kept not in said
