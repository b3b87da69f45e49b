from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from lab.limits import Window
from lab.looker import Looker
from lab.looker_datagroup import Datagroup
from lab.serve import serve
from lab.timeline import Timeline
from tests.builders import NOW, Clock

CLIENT = {"client_id": "an-id", "client_secret": "a-secret"}
DAILY = Datagroup("7", "shop", "daily")
CLOSED = Datagroup("8", "shop", "closed", may_update=False)
NOW_S = int(NOW.timestamp())


class Service:
    """A Looker that serves, and how to ask it."""

    def __init__(self, url: str, looker: Looker, clock: Clock, timeline: Timeline) -> None:
        self.api = f"{url}/api/4.0"
        self.looker = looker
        self.clock = clock
        self.timeline = timeline
        self.headers: dict[str, str] = {}

    def log_in(self, **changed: Any) -> requests.Response:
        return requests.post(f"{self.api}/login", timeout=5, **{"data": CLIENT, **changed})

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = self.api + path
        return requests.request(method, url, json=body, headers=self.headers, timeout=5)

    def update(self, body: Any, datagroup: str = "7") -> requests.Response:
        return self.ask("PATCH", f"/datagroups/{datagroup}", body)


@pytest.fixture
def service() -> Iterator[Service]:
    clock, timeline = Clock(), Timeline()
    looker = Looker(**CLIENT, datagroups=[DAILY, CLOSED], timeline=timeline, clock=clock)
    with serve(looker.app) as url:
        service = Service(url, looker, clock, timeline)
        token = service.log_in().json()["access_token"]
        service.headers = {"Authorization": f"token {token}"}
        yield service


def test_who_logs_in_with_a_form_is_told_a_token_and_how_long_it_lasts(service: Service) -> None:
    told = service.log_in().json()

    assert told["access_token"]
    assert told["expires_in"] == 3600


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"client_secret": "x"}])
def test_a_wrong_client_is_not_found(service: Service, wrong: dict[str, str]) -> None:
    assert service.log_in(data=CLIENT | wrong).status_code == 404
    assert service.log_in(data={}, headers={"Content-Type": "x"}).status_code == 400


@pytest.mark.parametrize(
    "asked", [{"params": CLIENT}, {"params": CLIENT, "data": None}, {"data": None, "json": CLIENT}]
)
def test_credentials_are_said_in_a_form_only(service: Service, asked: dict[str, Any]) -> None:
    assert service.log_in(**asked).status_code == 400
    assert service.looker.logins == 1


@pytest.mark.parametrize("scheme", ["token", "Bearer"])
def test_both_schemes_are_understood(service: Service, scheme: str) -> None:
    token = service.headers["Authorization"].split()[1]
    service.headers = {"Authorization": f"{scheme} {token}"}

    assert service.ask("GET", "/datagroups").status_code == 200


@pytest.mark.parametrize("said", ["", "token wrong", "Basic {}", "{}"])
def test_who_says_no_token_is_refused(service: Service, said: str) -> None:
    token = service.headers["Authorization"].split()[1]
    service.headers = {"Authorization": said.format(token)}

    assert service.ask("GET", "/datagroups").status_code == 401
    assert service.update({"triggered_at": NOW_S}).status_code == 401
    assert service.looker.updates == []


def test_a_token_lasts_an_hour(service: Service) -> None:
    service.clock.passes(3599)
    before = service.ask("GET", "/datagroups").status_code
    service.clock.passes(1)

    assert (before, service.ask("GET", "/datagroups").status_code) == (200, 401)


def test_who_logs_out_is_out(service: Service) -> None:
    out = service.ask("DELETE", "/logout")

    assert (out.status_code, out.content) == (204, b"")
    assert service.ask("GET", "/datagroups").status_code == 401


def test_a_datagroup_is_found_by_its_id_and_told_with_its_names(service: Service) -> None:
    listed = service.ask("GET", "/datagroups").json()

    assert [(each["id"], each["model_name"], each["name"]) for each in listed] == [
        ("7", "shop", "daily"),
        ("8", "shop", "closed"),
    ]
    assert service.ask("GET", "/datagroups/7").json() == listed[0]
    assert service.ask("GET", "/datagroups/daily").status_code == 404


@pytest.mark.parametrize("field", ["triggered_at", "stale_before"])
@pytest.mark.parametrize("at", [NOW_S, NOW_S - 5, 0])
def test_what_is_not_in_the_future_is_set(service: Service, field: str, at: int) -> None:
    answers = [service.update({field: at}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].json()[field] == at
    assert getattr(service.looker.datagroups[0], field) == at


@pytest.mark.parametrize(
    "asked",
    [
        {"triggered_at": NOW_S + 1},
        {"stale_before": NOW_S + 1},
        {"triggered_at": "now"},
        {"triggered_at": NOW_S - 0.5},
        {"triggered_at": True},
        {"triggered_at": None},
        {"id": "8"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_field_by_field(service: Service, asked: dict[str, Any]) -> None:
    answer = service.update(asked)

    (field,) = asked
    (error,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert (error["field"], error["code"]) == (field, "invalid")
    assert error["message"]
    assert service.looker.datagroups[0] == DAILY


def test_a_body_is_an_object(service: Service) -> None:
    assert service.update([]).status_code == 400


def test_what_is_not_there_or_may_not_be_updated_is_not_found(service: Service) -> None:
    answers = [service.update({"triggered_at": NOW_S}, datagroup) for datagroup in ("8", "9")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(answer.json()["message"] for answer in answers)


def test_who_asks_too_often_is_refused_everywhere(service: Service) -> None:
    service.looker.window = Window(1, timedelta(minutes=1), service.clock)
    service.ask("GET", "/datagroups")

    answers = [service.log_in(), service.ask("DELETE", "/logout"), service.update({})]

    assert [answer.status_code for answer in answers] == [429, 429, 429]
    service.clock.passes(60)
    assert service.ask("GET", "/datagroups").status_code == 200


def test_the_timeline_tells_what_was_done(service: Service) -> None:
    service.update({"triggered_at": NOW_S})
    service.update({"stale_before": NOW_S})

    assert [moment.what for moment in service.timeline.moments] == [
        "datagroup triggered: shop::daily",
        "datagroup cache dropped: shop::daily",
    ]
