import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.faults import Fault, Faults, WithFaults
from lab.serve import serve


class StandIn:
    """Answers what it was sent, and keeps it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.seen: list[Any] = []
        routes = [Route("/{path:path}", self._take, methods=["POST"])]
        self.app = WithFaults(Starlette(routes=routes), self.faults)
        self.url = ""

    async def _take(self, request: Request) -> JSONResponse:
        self.seen.append(await request.json())
        return JSONResponse({"seen": len(self.seen)})

    def post(self, value: int, path: str = "/", timeout_s: float = 5.0) -> requests.Response:
        return requests.post(self.url + path, json=value, timeout=timeout_s)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    with serve(stand_in.app) as stand_in.url:
        yield stand_in


def test_without_a_fault_a_request_is_carried_out_and_answered(stand_in: StandIn) -> None:
    answer = stand_in.post(1)

    assert (answer.status_code, answer.json()) == (200, {"seen": 1})


def test_a_fault_happens_as_often_as_asked_and_then_no_more(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("answer", status=503), times=2)

    statuses = [stand_in.post(i).status_code for i in range(3)]

    assert statuses == [503, 503, 200]
    assert stand_in.seen == [2]


def test_faults_happen_in_the_order_in_which_they_were_asked_for(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("answer", status=429))
    stand_in.faults.next(Fault("answer", status=500))

    statuses = [stand_in.post(i).status_code for i in range(2)]

    assert statuses == [429, 500]


def test_an_answer_has_the_status_headers_and_body_that_were_asked_for(stand_in: StandIn) -> None:
    headers = {"Retry-After": "7", "Content-Type": "application/problem+json"}
    stand_in.faults.next(Fault("answer", status=429, headers=headers, body={"why": "too many"}))

    answer = stand_in.post(1)

    assert answer.json() == {"why": "too many"}
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_answer_without_a_body_is_empty(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("answer", status=500))

    assert stand_in.post(1).content == b""


def test_a_fault_lasts_until_it_is_taken_back(stand_in: StandIn) -> None:
    stand_in.faults.always(Fault("answer", status=500))
    during = [stand_in.post(i).status_code for i in range(3)]

    stand_in.faults.always(None)

    assert during == [500, 500, 500]
    assert stand_in.post(3).status_code == 200


def test_what_happens_next_comes_before_what_happens_always(stand_in: StandIn) -> None:
    stand_in.faults.always(Fault("answer", status=500))
    stand_in.faults.next(Fault("answer", status=429))

    statuses = [stand_in.post(i).status_code for i in range(2)]

    assert statuses == [429, 500]


def test_a_fault_of_one_path_lets_the_others_pass(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("answer", status=500, path="/runs"))

    statuses = [stand_in.post(1, path).status_code for path in ("/jobs", "/api/runs/7", "/runs")]

    assert statuses == [200, 500, 200]


def test_a_fault_that_always_happens_can_be_of_one_path(stand_in: StandIn) -> None:
    stand_in.faults.always(Fault("answer", status=500, path="/runs"))

    statuses = [stand_in.post(1, path).status_code for path in ("/jobs", "/runs", "/runs")]

    assert statuses == [200, 500, 500]


def test_a_slow_request_is_carried_out_late(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("slow", seconds=0.3))

    answer = stand_in.post(1)

    assert answer.elapsed.total_seconds() >= 0.3
    assert stand_in.seen == [1]


def test_whoever_does_not_wait_for_a_slow_request_gets_no_answer(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("slow", seconds=0.6))

    with pytest.raises(requests.ReadTimeout):
        stand_in.post(1, timeout_s=0.1)


@pytest.mark.parametrize(("kind", "carried_out"), [("cut", []), ("lost", [1])])
def test_a_connection_breaks_before_the_first_byte_of_an_answer(
    stand_in: StandIn, kind: Any, carried_out: list[int]
) -> None:
    stand_in.faults.next(Fault(kind))

    # had an answer begun, this would be another error, and its status would have been seen
    with pytest.raises(requests.ConnectionError, match="Connection aborted"):
        stand_in.post(1)

    assert stand_in.seen == carried_out


def test_the_requests_after_a_broken_connection_are_answered(stand_in: StandIn) -> None:
    stand_in.faults.next(Fault("cut"))
    with requests.Session() as session:
        with pytest.raises(requests.ConnectionError):
            session.post(stand_in.url, json=1, timeout=5)

        answer = session.post(stand_in.url, json=2, timeout=5)

    assert answer.status_code == 200


def test_each_fault_happens_once_whoever_comes_first() -> None:
    faults = Faults()
    faults.next(Fault("cut"), times=100)
    taken: list[Fault | None] = []

    def take_many() -> None:
        taken.extend(faults.take("/") for _ in range(50))

    threads = [threading.Thread(target=take_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len(taken) == 200
    assert sum(fault is not None for fault in taken) == 100
