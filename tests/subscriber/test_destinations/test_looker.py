"""Looker: triggering a datagroup, as the lab's stand-in takes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.limits import Window
from lab.looker import Looker as StandIn
from lab.looker_datagroup import Datagroup
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from shared.secret_refs import SecretRef
from subscriber.actions import Handle, Verb
from subscriber.destinations.looker import Looker
from subscriber.outbound import Busy, Outbound, Refused
from tests.builders import NOW, Clock, an_action
from tests.subscriber.test_destinations.world import World

ID, SECRET = "an-id", "sec-ret-0123456789"
DATAGROUPS = [
    Datagroup("7", "shop", "daily"),
    Datagroup("8", "shop", "closed", may_update=False),
    Datagroup("9", "other", "daily"),
    Datagroup("od d?#%2F", "shöp", "dàily ::🙂"),
]
NOW_S = int(NOW.timestamp())


def read(_: SecretRef) -> str:
    return SECRET


def a_looker(**fields: Any) -> Looker:
    """As it is when its secret has been read."""
    written = {
        "base_url": "https://acme.cloud.looker.com",
        "client_id": ID,
        "client_secret": "env:SECRET",
        "datagroup": "shop::daily",
    }
    return Looker.model_validate({**written, **fields}).with_secrets(read)


@contextmanager
def a_served_looker(clock: Clock) -> Iterator[tuple[str, StandIn]]:
    stand_in = StandIn(client_id=ID, client_secret=SECRET, datagroups=DATAGROUPS, clock=clock)
    with serve(stand_in.app) as url:
        yield url, stand_in


@contextmanager
def a_world() -> Iterator[World]:
    stand_in = StandIn(client_id=ID, client_secret=SECRET, datagroups=DATAGROUPS)
    with serve(stand_in.app) as url:
        yield World(
            destination=a_looker(base_url=url),
            action=an_action(Verb.REFRESH),
            faults=stand_in.faults,
            carried_out=lambda: len(stand_in.updates),
            path="/datagroups/7",
        )


class Side:
    """A destination, the Looker that it speaks to, and the clock of both."""

    def __init__(self, url: str, looker: StandIn, clock: Clock) -> None:
        self.url = url
        self.looker = looker
        self.clock = clock
        self.outbound = Outbound(clock=clock)

    def deliver(self, **fields: Any) -> Handle:
        made = a_looker(base_url=self.url, **fields)
        return made.deliver(an_action(Verb.REFRESH), self.outbound)

    def refusal(self, **fields: Any) -> str:
        with pytest.raises(PermanentFailure) as raised:
            self.deliver(**fields)
        assert SECRET not in str(raised.value)
        return str(raised.value)


@pytest.fixture
def side() -> Iterator[Side]:
    clock = Clock()
    with a_served_looker(clock) as (url, looker):
        yield Side(url, looker, clock)


def test_a_refresh_triggers_the_datagroup_that_model_and_name_say(side: Side) -> None:
    handle = side.deliver()

    assert side.looker.updates == [("7", {"triggered_at": NOW_S - 5})]
    assert handle == Handle(key="7")


def test_a_name_is_that_of_its_model_only(side: Side) -> None:
    side.deliver(datagroup="other::daily")

    assert [datagroup for datagroup, _ in side.looker.updates] == ["9"]


def test_an_id_is_not_looked_up(side: Side) -> None:
    # log-in and update: a third request would be one too many
    side.looker.window = Window(2, timedelta(minutes=1), side.clock)

    side.deliver(datagroup="9")

    assert side.looker.updates == [("9", {"triggered_at": NOW_S - 5})]


def test_to_drop_the_cache_triggers_nothing(side: Side) -> None:
    side.deliver(effect="drop_cache")

    assert side.looker.updates == [("7", {"stale_before": NOW_S - 5})]


@pytest.mark.parametrize("name", ["shöp::dàily ::🙂", "od d?#%2F"])
def test_odd_names_and_ids_reach_their_datagroup_and_no_other_path(side: Side, name: str) -> None:
    side.deliver(datagroup=name)

    assert [datagroup for datagroup, _ in side.looker.updates] == ["od d?#%2F"]


def test_one_log_in_serves_many_refreshes(side: Side) -> None:
    for _ in range(3):
        side.deliver()

    assert side.looker.logins == 1
    assert len(side.looker.updates) == 3


def test_a_token_that_has_ended_is_fetched_anew_once(side: Side) -> None:
    side.deliver()
    side.clock.passes(3600)

    side.deliver()

    assert side.looker.logins == 2
    assert len(side.looker.updates) == 2


def test_a_token_that_is_never_accepted_is_a_refusal(side: Side) -> None:
    side.deliver()
    side.looker.faults.always(Fault("answer", status=401, path="/datagroups"))

    assert "does not accept the token that it has just given" in side.refusal()
    assert side.looker.logins == 2


def test_a_clock_that_is_a_little_ahead_does_no_harm(side: Side) -> None:
    side.outbound = replace(side.outbound, clock=lambda: side.clock() + timedelta(seconds=4))

    side.deliver()

    assert len(side.looker.updates) == 1


def test_a_clock_that_is_far_ahead_is_said_to_be(side: Side) -> None:
    side.outbound = replace(side.outbound, clock=lambda: side.clock() + timedelta(seconds=60))

    assert "the clock of this machine is ahead of Looker's" in side.refusal()


def test_another_invalid_change_is_told_in_lookers_words_without_secrets(side: Side) -> None:
    errors = [{"field": "triggered_at", "message": f"is\nbad\x00; password={SECRET} {'x' * 9_000}"}]
    side.looker.faults.next(
        Fault("answer", status=422, body={"errors": errors}, path="/datagroups/7")
    )

    told = side.refusal()

    assert "(triggered_at: is bad; password=[redacted] xxx" in told
    assert len(told) < 400


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"datagroup": "shop::weekly"}, "no datagroup weekly in a model shop"),
        ({"datagroup": "77"}, "no datagroup 77"),
        ({"datagroup": "8/../7"}, "no datagroup 8/../7"),
        ({"datagroup": "shop::closed"}, "or not for the API key's user"),
        ({"client_id": "another"}, "does not know the API key"),
    ],
)
def test_what_is_not_there_is_told_apart_with_what_mends_it(
    side: Side, fields: dict[str, str], told: str
) -> None:
    assert told in side.refusal(**fields)
    assert side.looker.updates == []


def test_an_unknown_key_has_the_secret_read_anew(side: Side) -> None:
    with pytest.raises(Refused) as raised:
        side.deliver(client_id="another")

    assert raised.value.status == 401


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, "did not understand the request"),
        (403, "does not let the API key's user refresh"),
        (404, "see_datagroups"),
        (409, "is in conflict"),
        (422, "does not take the change"),
        (410, "answered 410"),
    ],
)
def test_each_refusal_says_what_mends_it(side: Side, status: int, told: str) -> None:
    side.looker.faults.next(Fault("answer", status=status, path="/datagroups/7"))

    assert told in side.refusal()


def test_being_asked_too_often_is_a_reason_to_wait(side: Side) -> None:
    side.looker.window = Window(1, timedelta(minutes=1), side.clock)

    with pytest.raises(Busy, match="asked too often") as raised:
        side.deliver()

    assert raised.value.retry_after_s == 30


def test_a_log_in_that_goes_unanswered_is_tried_again(side: Side) -> None:
    side.looker.faults.always(Fault("answer", status=503, path="/login"))

    with pytest.raises(TemporaryFailure):
        side.deliver()

    assert side.looker.updates == []


@pytest.mark.parametrize("body", [None, [], {}, {"access_token": 7}, {"access_token": ""}])
def test_an_answer_without_a_token_is_no_lookers(side: Side, body: object) -> None:
    side.looker.faults.next(Fault("answer", status=200, body=body, path="/login"))

    assert "with no token" in side.refusal()


@pytest.mark.parametrize("lasts", [None, "soon", -1])
def test_a_token_that_does_not_say_how_long_it_lasts_is_taken_all_the_same(
    side: Side, lasts: object
) -> None:
    side.looker.faults.next(
        Fault("answer", status=200, body={"access_token": "x", "expires_in": lasts}, path="/login")
    )

    # the stand-in does not know it
    assert "does not accept the token" in side.refusal()


@pytest.mark.parametrize("body", [{}, "no list", [7, None, {"name": "daily"}]])
def test_a_list_of_something_else_holds_no_datagroup(side: Side, body: object) -> None:
    side.looker.faults.next(Fault("answer", status=200, body=body, path="/datagroups"))

    assert "datagroup" in side.refusal()


@pytest.mark.parametrize("datagroup", ["", " ", "shop::", "::daily", "::", ".", ".."])
def test_a_datagroup_is_a_name_in_a_model_or_an_id(datagroup: str) -> None:
    with pytest.raises(ValidationError, match="write model::datagroup"):
        a_looker(datagroup=datagroup)


def test_white_space_around_a_name_is_not_part_of_it() -> None:
    made = a_looker(datagroup=" shop::daily\n", client_id=" an-id ")

    assert (made.datagroup, made.client_id) == ("shop::daily", "an-id")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"client_id": " "}, "copy the client ID"),
        ({"effect": "rebuild"}, "'trigger' or 'drop_cache'"),
        ({"base_url": None}, "base_url"),
    ],
)
def test_other_mistakes_are_said(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        a_looker(**fields)


def test_what_is_shown_is_what_is_told() -> None:
    assert a_looker(datagroup="7", effect="drop_cache").shown(an_action(Verb.REFRESH)) == (
        f'PATCH /api/4.0/datagroups/7\n{{\n  "stale_before": {NOW_S - 5}\n}}\n'
    )


@pytest.mark.parametrize("datagroup", ["shop::daily", "7"])
def test_a_look_triggers_nothing_and_says_which_datagroup_the_key_sees(
    side: Side, datagroup: str
) -> None:
    found = a_looker(base_url=side.url, datagroup=datagroup).examine(side.outbound)

    assert found.said == f"the API key sees the datagroup {datagroup}; untried: to update it"
    assert side.looker.updates == []


@pytest.mark.parametrize("datagroup", ["shop::none", "77"])
def test_a_look_at_a_datagroup_that_is_not_there_says_so(side: Side, datagroup: str) -> None:
    with pytest.raises(PermanentFailure, match="see_datagroups"):
        a_looker(base_url=side.url, datagroup=datagroup).examine(side.outbound)
