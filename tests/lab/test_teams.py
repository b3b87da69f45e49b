import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from lab.faults import Fault
from lab.serve import serve
from lab.teams import Teams
from lab.teams_card import MESSAGE_LIMIT_BYTES
from lab.timeline import Timeline
from tests.builders import Clock
from tests.lab.test_teams_card import TEXT, a_card, a_message


class Service:
    """A Teams that serves, and how to post to it."""

    def __init__(self, url: str, teams: Teams, timeline: Timeline, clock: Clock) -> None:
        self.base = url
        self.teams = teams
        self.timeline = timeline
        self.clock = clock

    def post(self, body: Any = None, url: str | None = None, **options: Any) -> requests.Response:
        sent = a_message() if body is None else body
        return requests.post(self.base + (url or self.teams.url), json=sent, timeout=5, **options)


@pytest.fixture
def service() -> Iterator[Service]:
    timeline, clock = Timeline(), Clock()
    teams = Teams(timeline=timeline, clock=clock)
    with serve(teams.app) as url:
        yield Service(url, teams, timeline, clock)


def a_message_of(size_bytes: int) -> dict[str, Any]:
    """A message that has that size as `requests` encodes it."""
    empty = len(json.dumps(a_message(a_card(body=[TEXT | {"text": ""}]))))
    return a_message(a_card(body=[TEXT | {"text": "x" * (size_bytes - empty)}]))


def refused(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_card_is_accepted_at_once_and_posted(service: Service) -> None:
    answer = service.post()

    assert (answer.status_code, answer.content) == (202, b"")
    assert service.teams.posted == [a_card()]
    assert service.teams.failed_runs == []


def test_a_card_that_cannot_be_shown_is_accepted_all_the_same(service: Service) -> None:
    answer = service.post(a_message(a_card(body=[TEXT | {"wrap": "true"}])))

    assert (answer.status_code, answer.content) == (202, b"")
    assert service.teams.posted == []
    (run,) = service.teams.failed_runs
    assert run.reason == (
        "attachments[0].content.body[0].wrap: must be true or false, and no string"
    )


def test_a_plain_text_fails_the_run(service: Service) -> None:
    assert service.post({"text": "orders failed"}).status_code == 202

    assert "'attachments' is of type 'Null'" in service.teams.failed_runs[0].reason


@pytest.mark.parametrize(
    ("over", "posted", "failed"), [(0, 1, 0), (1, 0, 1)], ids=["at the limit", "over it"]
)
def test_a_message_has_at_most_28_kb_and_the_answer_does_not_say_so(
    service: Service, over: int, posted: int, failed: int
) -> None:
    answer = service.post(a_message_of(MESSAGE_LIMIT_BYTES + over))

    assert answer.status_code == 202
    assert (len(service.teams.posted), len(service.teams.failed_runs)) == (posted, failed)


def test_a_body_that_is_much_too_large_is_refused_by_the_trigger(service: Service) -> None:
    assert refused(service.post(a_message_of(1_000_001))) == (413, "RequestEntityTooLarge")
    assert service.teams.failed_runs == []


def test_a_card_that_is_nested_without_end_fails_the_run(service: Service) -> None:
    body = '{"type":"message","attachments":[{"contentType":"x","content":'
    deep = '{"type":"AdaptiveCard","actions":[{"type":"Action.ShowCard","card":' * 300
    answer = requests.post(
        service.base + service.teams.url,
        data=f"{body}{deep}1{'}]}' * 300}}}]}}",
        headers={"Content-Type": "application/json"},
        timeout=5,
    )

    assert answer.status_code == 202
    assert len(service.teams.failed_runs) == 1


def test_the_url_is_taken_as_it_is(service: Service) -> None:
    service.post()

    (request,) = service.teams.requests
    assert request.url == service.teams.url
    assert "%2Ftriggers%2Fmanual%2Frun" in request.url


@pytest.mark.parametrize(
    ("written", "instead", "status", "code"),
    [
        ("api-version=2016-06-01&", "", 400, "MissingApiVersionParameter"),
        ("&sig=s1gn-_ature0123456789", "", 401, "DirectApiAuthorizationRequired"),
        ("sig=s1gn", "sig=s2gn", 401, "DirectApiAuthorizationRequired"),
        ("%2Frun", "%2Fread", 401, "DirectApiAuthorizationRequired"),
        ("%2F", "%252F", 401, "DirectApiAuthorizationRequired"),
        ("/workflows/0", "/workflows/1", 404, "WorkflowNotFound"),
    ],
)
def test_a_url_that_lacks_something_is_refused(
    service: Service, written: str, instead: str, status: int, code: str
) -> None:
    url = service.teams.url.replace(written, instead)

    answer = service.post(url=url)

    assert url != service.teams.url
    assert refused(answer) == (status, code)
    assert service.teams.posted == []


def test_a_trigger_for_users_of_the_tenant_takes_no_url_alone(service: Service) -> None:
    service.teams.anyone = False

    assert refused(service.post()) == (401, "DirectApiAuthorizationRequired")


def test_an_authorization_header_is_refused(service: Service) -> None:
    answer = service.post(headers={"Authorization": "Bearer x"})

    assert refused(answer) == (401, "DirectApiInvalidAuthorizationScheme")


def test_a_flow_that_is_off_refuses_until_it_is_on_again(service: Service) -> None:
    service.teams.is_on = False

    assert refused(service.post()) == (400, "WorkflowTriggerIsNotEnabled")

    service.teams.is_on = True
    assert service.post().status_code == 202


def test_a_trigger_with_a_schema_of_its_own_refuses_what_does_not_match(service: Service) -> None:
    service.teams.wanted = frozenset({"title"})

    assert refused(service.post()) == (400, "TriggerInputSchemaMismatch")
    assert refused(service.post([])) == (400, "TriggerInputSchemaMismatch")


def test_a_body_that_is_no_json_is_refused(service: Service) -> None:
    url = service.base + service.teams.url

    answer = requests.post(url, data="{", headers={"Content-Type": "application/json"}, timeout=5)

    assert refused(answer) == (400, "InvalidRequestContent")


def test_a_body_that_is_not_said_to_be_json_fails_the_run(service: Service) -> None:
    answer = requests.post(
        service.base + service.teams.url, data=json.dumps(a_message()), timeout=5
    )

    assert answer.status_code == 202
    assert "'Null'" in service.teams.failed_runs[0].reason


def test_a_flow_built_by_hand_may_want_the_bare_card(service: Service) -> None:
    service.teams.takes = "bare card"

    service.post()
    service.post(a_card())

    assert service.teams.posted == [a_card()]
    assert "Property 'type' must be 'AdaptiveCard'" in service.teams.failed_runs[0].reason


def test_a_channel_that_is_gone_fails_the_run_only(service: Service) -> None:
    service.teams.action_fails = "NotFound: the channel was deleted"

    assert service.post().status_code == 202
    assert [run.reason for run in service.teams.failed_runs] == [service.teams.action_fails]


def test_what_is_too_fast_is_refused_without_a_word_on_when_to_come_back(service: Service) -> None:
    answers = [service.post() for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 202, 429]
    assert refused(answers[-1]) == (429, "TooManyRequests")
    assert "retry-after" not in answers[-1].headers
    service.clock.passes(1)
    assert service.post().status_code == 202


def test_what_adds_up_is_refused_as_well(service: Service) -> None:
    taken = 0
    while service.post().status_code == 202:
        taken += 1
        service.clock.passes(1 / 3)

    assert taken == 60


def test_a_repeat_is_shown_twice(service: Service) -> None:
    service.post()
    service.post()

    assert len(service.teams.posted) == 2


def test_it_can_fail_in_other_ways(service: Service) -> None:
    service.teams.faults.next(Fault("answer", status=503))

    assert service.post().status_code == 503
    assert service.teams.requests == []


def test_the_timeline_tells_what_people_see_and_what_only_the_flow_knows(service: Service) -> None:
    service.post()
    service.post({})
    service.teams.is_on = False
    service.post()

    posted, failed, refusal = [moment.what for moment in service.timeline.moments]
    assert posted == "card posted: orders failed"
    assert failed.startswith("flow failed: The execution of template action")
    assert refusal == "request refused: WorkflowTriggerIsNotEnabled"
