"""A webhook: what a receiver verifies, and where we do not send, as the lab's stand-in takes it."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook as Library

from lab.faults import Fault
from lab.serve import serve
from lab.webhook_receiver import CLOUDEVENTS, Receiver, judged
from shared.errors import PermanentFailure
from subscriber.actions import Message
from subscriber.destinations.webhook import BODY_LIMIT_BYTES, Webhook
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome, encode
from subscriber.public_hosts import PublicHosts
from tests.builders import Clock, a_told, an_action
from tests.subscriber.test_destinations.golden import CASES, a_case
from tests.subscriber.test_destinations.test_teams import HUGE
from tests.subscriber.test_destinations.world import World

SECRET = "whsec_" + base64.b64encode(b"today's key, of more than 24 bytes").decode()
FORMER = "whsec_" + base64.b64encode(b"the former key, also long enough").decode()


def a_webhook(url: str = "https://hooks.example.com/dbt", **fields: Any) -> Webhook:
    """As it is when its secrets have been read."""
    made = Webhook.model_validate({"url": url, "secret": "env:SECRET", **fields})
    secrets = {"SECRET": SECRET, "FORMER": FORMER}
    return made.with_secrets(lambda ref: secrets[ref.name])


@contextmanager
def a_served_receiver() -> Iterator[tuple[str, Receiver]]:
    receiver = Receiver(SECRET)
    with serve(receiver.app) as url:
        yield f"{url}/dbt", receiver


@contextmanager
def a_world() -> Iterator[World]:
    with a_served_receiver() as (url, receiver):
        yield World(
            destination=a_webhook(url),
            action=an_action(),
            faults=receiver.faults,
            carried_out=lambda: len([r for r in receiver.requests if r.status == 204]),
        )


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Receiver]]:
    with a_served_receiver() as served:
        yield served


@pytest.fixture
def receiver(served: tuple[str, Receiver]) -> Iterator[Receiver]:
    yield served[1]
    served[1].secrets = {SECRET}


@pytest.fixture
def webhook(served: tuple[str, Receiver]) -> Webhook:
    return a_webhook(served[0])


def told(message: Message, **fields: Any) -> dict[str, Any]:
    return a_webhook(**fields).told(an_action(message=message))


def test_an_event_is_taken_by_a_receiver_that_verifies_it(
    webhook: Webhook, receiver: Receiver
) -> None:
    handle = webhook.deliver(an_action(key="1/hook/job/7/1/open/1"), Outbound())

    event = receiver.events["1/hook/job/7/1/open/1"]
    assert handle.key == "1/hook/job/7/1/open/1"
    assert event["type"] == "dbt.run.failed"
    assert event["data"]["headline"] == a_told().headline


def test_an_event_is_verified_by_the_library_of_others(
    webhook: Webhook, receiver: Receiver
) -> None:
    webhook.deliver(an_action(message=a_told(headline="naïve 🙂 <b>")), Outbound())

    request = receiver.requests[-1]
    verified = Library(SECRET).verify(request.body, dict(request.headers))
    assert verified["data"]["headline"] == "naïve 🙂 <b>"
    assert request.headers["content-type"] == "application/json"


def test_a_repeat_has_the_same_id_and_body_and_a_timestamp_of_its_own(
    webhook: Webhook, receiver: Receiver
) -> None:
    clock = Clock(datetime.now(UTC))
    action = an_action(key="1/hook/job/7/2/open/1")

    webhook.deliver(action, Outbound(clock=clock))
    clock.passes(60)
    webhook.deliver(action, Outbound(clock=clock))

    one, two = receiver.requests[-2:]
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    assert one.body == two.body
    seconds = [int(each.headers["webhook-timestamp"]) for each in (one, two)]
    assert seconds[1] - seconds[0] == 60
    assert receiver.duplicates[-1] == "1/hook/job/7/2/open/1"


def test_while_a_secret_is_rotated_the_receiver_may_have_either(
    served: tuple[str, Receiver], receiver: Receiver
) -> None:
    rotating = a_webhook(served[0], former_secret="env:FORMER")

    for secret in (SECRET, FORMER):
        receiver.secrets = {secret}
        rotating.deliver(an_action(), Outbound())

    receiver.secrets = {FORMER}
    with pytest.raises(Refused, match="does not accept the signature"):
        a_webhook(served[0]).deliver(an_action(), Outbound())


def test_both_secrets_are_references_and_are_read() -> None:
    written = Webhook.model_validate(
        {"url": "https://x.example", "secret": "env:SECRET", "former_secret": "env:FORMER"}
    )

    assert {name: str(ref) for name, ref in written.secret_refs().items()} == {
        "secret": "env:SECRET",
        "former_secret": "env:FORMER",
    }
    assert written.as_written()["former_secret"] == "env:FORMER"


def test_a_cloud_event_is_taken_and_signed_as_well(
    served: tuple[str, Receiver], receiver: Receiver
) -> None:
    action = an_action(key="1/hook/job/7/3/open/1")

    a_webhook(served[0], format="cloudevents").deliver(action, Outbound())

    request = receiver.requests[-1]
    assert (request.status, request.headers["content-type"]) == (204, CLOUDEVENTS)
    assert receiver.events[action.key]["id"] == action.key
    assert Library(SECRET).verify(request.body, dict(request.headers))


def test_what_is_kept_as_a_secret_but_is_none_is_refused_before_anything_is_sent(
    served: tuple[str, Receiver], receiver: Receiver
) -> None:
    before = len(receiver.requests)
    plain = Webhook.model_validate({"url": served[0], "secret": "env:SECRET"})

    with pytest.raises(PermanentFailure, match="secret: what is kept there is no signing") as one:
        plain.with_secrets(lambda _: "hunter2").deliver(an_action(), Outbound())

    assert "hunter2" not in str(one.value)
    assert len(receiver.requests) == before


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (400, "its log says why"),
        (401, "does it verify with what `secret` holds"),
        (403, "does it verify with what `secret` holds"),
        (404, "is `url` right"),
        (405, "takes no POST there"),
        (410, "has switched this endpoint off; remove the destination"),
        (413, "takes less than the 20,000 bytes"),
        (415, "does not take this `format`"),
        (418, "log says why"),
        (422, "its log says why"),
    ],
)
def test_each_refusal_names_its_fix(
    webhook: Webhook, receiver: Receiver, status: int, fix: str
) -> None:
    receiver.faults.next(Fault("answer", status=status))

    with pytest.raises(Refused, match=f"answered {status}: .*{fix}") as raised:
        webhook.deliver(an_action(), Outbound())

    assert raised.value.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    webhook: Webhook, receiver: Receiver, served: tuple[str, Receiver], status: int
) -> None:
    before = len(receiver.requests)
    receiver.faults.next(Fault("answer", status=status, headers={"Location": served[0]}))

    with pytest.raises(Refused, match="a redirect, which is not followed: write in `url`"):
        webhook.deliver(an_action(), Outbound())

    assert len(receiver.requests) == before


@pytest.mark.parametrize(
    ("status", "wait_s"), [(429, 30), (502, 30), (504, 30), (500, None), (503, None)]
)
def test_who_is_busy_is_asked_later_and_who_is_overloaded_not_soon(
    webhook: Webhook, receiver: Receiver, status: int, wait_s: float | None
) -> None:
    receiver.faults.next(Fault("answer", status=status))

    with pytest.raises(Busy) as raised:
        webhook.deliver(an_action(), Outbound())

    assert (raised.value.status, raised.value.retry_after_s) == (status, wait_s)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_who_says_when_is_not_asked_before(
    webhook: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.faults.next(Fault("answer", status=status, headers={"Retry-After": "77"}))

    with pytest.raises(Busy) as raised:
        webhook.deliver(an_action(), Outbound())

    assert raised.value.retry_after_s == 77


@pytest.mark.parametrize("kind", ["cut", "lost"])
def test_an_event_that_may_have_arrived_is_not_sent_again_at_once(
    webhook: Webhook, receiver: Receiver, kind: Any
) -> None:
    before = len(receiver.requests)
    receiver.faults.next(Fault(kind))

    with pytest.raises(UnknownOutcome):
        webhook.deliver(an_action(), Outbound())

    assert len(receiver.requests) == before + (kind == "lost")


def test_an_answer_is_not_read_beyond_its_status(webhook: Webhook, receiver: Receiver) -> None:
    receiver.faults.next(Fault("answer", status=200, body="x" * 3_000_000))
    webhook.deliver(an_action(), Outbound())

    receiver.faults.next(Fault("answer", status=410, body="x" * 3_000_000))
    with pytest.raises(Refused) as raised:
        webhook.deliver(an_action(), Outbound())

    assert raised.value.reply.body == ""


class Reached(PermanentFailure):
    """The network would have been asked for this address."""


def leading_to(*addresses: str) -> Outbound:
    """Where every name has these addresses."""

    def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    def connect(address: tuple[str, int], timeout: Any) -> Any:
        raise Reached(f"{address}")

    return Outbound(hosts=PublicHosts(resolve=resolve, connect=connect))


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("10.1.2.3", "a private address"),
        ("169.254.169.254", "a cloud's metadata server"),
        ("::ffff:169.254.169.254", "a cloud's metadata server"),
    ],
)
def test_a_name_that_leads_inside_gets_nothing(address: str, what: str) -> None:
    with pytest.raises(PermanentFailure, match=f"hooks.example.com leads to {what}"):
        a_webhook().deliver(an_action(), leading_to(address))


def test_a_private_network_may_be_permitted() -> None:
    with pytest.raises(Reached, match=r"10\.1\.2\.3"):
        a_webhook(allow_private=True).deliver(an_action(), leading_to("10.1.2.3"))


def test_what_one_webhook_permits_another_does_not() -> None:
    outbound = leading_to("10.1.2.3")

    with pytest.raises(Reached):
        a_webhook(allow_private=True).deliver(an_action(), outbound)
    with pytest.raises(PermanentFailure, match="`allow_private: true` permits it"):
        a_webhook().deliver(an_action(), outbound)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:8443/a/b?key=%2Fx&y=1",
        "http://127.0.0.1:8080/dbt",
        "http://localhost/dbt",
        "https://93.184.216.34/dbt",
    ],
)
def test_a_url_is_taken_as_it_is(url: str) -> None:
    assert a_webhook(f" {url}\n").address() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/dbt",
        "ftp://hooks.example.com",
        "hooks.example.com",
        "",
        "https://user:hunter2@hooks.example.com",
        "https://hooks.example.com/dbt#here",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a\x00b",
        "https://[",
        "https://hooks.example.com:x/",
        "https://10.1.2.3/dbt",
        "https://169.254.169.254/computeMetadata/v1/",
        "https://[fd20:ce::254]/",
        "https://[::ffff:10.1.2.3]/",
        "https://224.0.0.1/",
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_when_it_is_read(url: str) -> None:
    with pytest.raises(ValidationError) as raised:
        a_webhook(url)

    assert "hunter2" not in str(raised.value)


def test_a_private_address_may_be_permitted_when_it_is_read() -> None:
    assert a_webhook("https://10.1.2.3/dbt", allow_private=True).allow_private


@pytest.mark.parametrize("path", ["", "/dbt?key=%2Fx&key=2", "?key=1"])
def test_another_host_is_asked_for_the_same_path_to_the_letter(path: str) -> None:
    webhook = a_webhook(f"https://hooks.example.com{path}", base_url="http://127.0.0.1:1/lab/")

    assert webhook.address() == f"http://127.0.0.1:1/lab{path}"


@pytest.mark.parametrize("form", ["standard", "cloudevents"])
@pytest.mark.parametrize("what", HUGE)
def test_what_is_too_large_is_cut_and_says_so(what: str, form: str) -> None:
    event = told(HUGE[what], format=form)

    assert len(encode(event)) <= BODY_LIMIT_BYTES
    assert "eft out here" in event["data"]["left_out"]


def test_an_event_of_the_limit_is_left_whole() -> None:
    def event_of(size: int) -> dict[str, Any]:
        return told(a_told(text="x" * size))

    fits = BODY_LIMIT_BYTES - len(encode(event_of(0)))

    assert len(encode(event_of(fits))) == BODY_LIMIT_BYTES
    assert judged("application/json", encode(event_of(fits))) == (204, "")
    assert event_of(fits)["data"]["left_out"] == ""
    assert event_of(fits + 1)["data"]["left_out"] != ""


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_taken(case: str) -> None:
    event = a_webhook().told(a_case("webhook", case))

    assert judged("application/json", encode(event)) == (204, "")


@settings(max_examples=60)
@given(
    text=st.text(max_size=40),
    key=st.text(min_size=1, max_size=300),
    facts=st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
    times=st.integers(1, 900),
)
def test_whatever_the_action_the_event_is_taken(
    text: str, key: str, facts: dict[str, str], times: int
) -> None:
    message = a_told(headline=text, text=text * times, link=text, facts=facts, new=(text,))
    action = an_action(message=message, key=key, episode_key=key, owner=text * times)

    for form, media in (("standard", "application/json"), ("cloudevents", CLOUDEVENTS)):
        body = encode(a_webhook(format=form).told(action))
        assert judged(media, body) == (204, "")
        assert json.loads(body)


def test_a_look_asks_the_host_and_sends_no_event(webhook: Webhook, receiver: Receiver) -> None:
    before = len(receiver.requests)

    found = webhook.examine(Outbound())

    assert (found.said, found.is_tried) == ("127.0.0.1 answers; untried: an event", False)
    assert len(receiver.requests) == before


def test_a_look_goes_to_no_private_network() -> None:
    outbound = Outbound(hosts=PublicHosts(resolve=lambda host, port: ["10.0.0.1"]))

    with pytest.raises(PermanentFailure, match="a private address"):
        a_webhook().examine(outbound)


@pytest.mark.parametrize("field", ["secret", "former_secret"])
def test_what_is_no_signing_secret_is_recognised(field: str) -> None:
    made = a_webhook(former_secret="env:FORMER").model_copy(
        update={field: SecretStr("whsec_short")}
    )

    assert "no signing secret" in made.misfit(field)
    assert "whsec_short" not in made.misfit(field)
