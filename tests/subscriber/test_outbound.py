"""Outbound, over loopback, against a real server that can fail in every way."""

import gzip
import json
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lab.faults import Fault, Faults, WithFaults
from lab.serve import serve
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber.outbound import (
    PUBLIC_READ_TIMEOUT_S,
    RETRY_AFTER_LIMIT_S,
    Busy,
    Outbound,
    Refused,
    Reply,
    UnknownOutcome,
    encode,
    retry_after_s,
)
from subscriber.public_hosts import PublicHosts
from tests.builders import NOW

SECRET = "s3cr3t-of-ours"
DO_NOT_WAIT = {"Retry-After": "0"}  # keeps tests from the pause before a second try


class Peer:
    """One of the addresses of a server: keeps what it was asked, and answers what it is told to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults = Faults()
        self.requests: list[tuple[Request, bytes]] = []
        self.answer: Callable[[], Response] = lambda: Response('{"ok": true}')
        routes = [Route("/{path:path}", self._take, methods=["GET", "POST"])]
        self.app = WithFaults(Starlette(routes=routes), self.faults)

    async def _take(self, request: Request) -> Response:
        self.requests.append((request, await request.body()))
        return self.answer()

    def header(self, name: str) -> str | None:
        """As the last request had it."""
        return self.requests[-1][0].headers.get(name)


class Host:
    """A server with an address of its own for each test, so that it is started only once."""

    def __init__(self) -> None:
        self.url = ""
        self._peers: dict[str, Peer] = {}

    def a_peer(self) -> Peer:
        name = f"peer-{len(self._peers)}"
        peer = self._peers[name] = Peer(f"{self.url}/{name}")
        return peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].split("/")[1]
        await self._peers[name].app(scope, receive, send)


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Host, Host]]:
    one, other = Host(), Host()
    with serve(one) as one.url, serve(other) as other.url:
        yield one, other


@pytest.fixture
def peer(hosts: tuple[Host, Host]) -> Peer:
    return hosts[0].a_peer()


@pytest.fixture
def another_peer(hosts: tuple[Host, Host]) -> Peer:
    """Of another host than `peer`."""
    return hosts[1].a_peer()


@pytest.fixture
def refusing_url() -> Iterator[str]:
    """Where nobody listens, and where nobody else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def a_raw_server(*sent: bytes, every_s: float = 0.0, listens_after_s: float = 0.0) -> Iterator[str]:
    """Answers each connection with the bytes `sent`, one after another, then closes it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stopped = threading.Event()
    if not listens_after_s:
        listener.listen()

    def run() -> None:
        stopped.wait(listens_after_s)
        listener.listen()
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                connection.recv(65_536)
                for part in sent:
                    try:
                        connection.sendall(part)
                    except OSError:
                        break
                    stopped.wait(every_s)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopped.set()
        thread.join(5)
        listener.close()


def test_a_good_answer_is_read_as_json(peer: Peer) -> None:
    peer.answer = lambda: Response('{"_links": {"web": {"href": "https://x"}}}', 202)

    answer = Outbound().post_json(f"{peer.url}/v2/enqueue", {"name": "größe"})

    assert answer.status == 202
    assert answer.text("_links", "web", "href") == "https://x"
    (request, body) = peer.requests[0]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "afterrun"
    assert body == '{"name":"größe"}'.encode()


@pytest.mark.parametrize("path", [(), ("missing",), ("a", "b", "c"), ("list", "0"), ("number",)])
def test_a_text_that_an_answer_does_not_hold_is_empty(path: tuple[str, ...]) -> None:
    answer = Reply(200, {"a": {"b": "text"}, "list": ["x"], "number": 7})

    assert answer.text(*path) == ""


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\xfd", b"[" * 100_000])
def test_a_good_answer_that_is_no_json_is_still_good(peer: Peer, body: bytes) -> None:
    peer.answer = lambda: Response(body)

    reply = Outbound().post_json(peer.url, {})

    assert (reply.status, reply.content) == (200, None)


def test_a_good_answer_whose_compression_is_broken_is_still_good(peer: Peer) -> None:
    peer.answer = lambda: Response(b"no gzip", headers={"Content-Encoding": "gzip"})

    reply = Outbound().post_json(peer.url, {})

    assert (reply.status, reply.content) == (200, None)


def test_bytes_are_sent_as_they_are(peer: Peer) -> None:
    Outbound().post_json(peer.url, b'{"a":  1}')

    assert peer.requests[0][1] == b'{"a":  1}'


def test_basic_credentials_go_out_as_utf8(peer: Peer) -> None:
    Outbound().post_json(peer.url, {}, basic=("token", "gehëim"))

    assert peer.header("authorization") == "Basic dG9rZW46Z2Vow6tpbQ=="


def test_parameters_of_a_get_are_put_into_the_url(peer: Peer) -> None:
    Outbound().get_json(f"{peer.url}/runs", params={"include": "run_steps,job"})

    assert peer.requests[0][0].query_params["include"] == "run_steps,job"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 507, 599])
def test_what_may_be_different_later_is_temporary(peer: Peer, status: int) -> None:
    peer.faults.always(Fault("answer", status=status, headers=DO_NOT_WAIT))

    with pytest.raises(Busy, match=rf"^127\.0\.0\.1 answered {status}$") as raised:
        Outbound().post_json(peer.url, {})

    assert isinstance(raised.value, TemporaryFailure)
    assert raised.value.status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422, 451])
def test_what_would_be_the_same_later_is_permanent(peer: Peer, status: int) -> None:
    peer.faults.always(Fault("answer", status=status))

    with pytest.raises(Refused, match=rf"^127\.0\.0\.1 answered {status}$") as raised:
        Outbound().post_json(peer.url, {})

    assert isinstance(raised.value, PermanentFailure)
    assert raised.value.status == status


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_repeatable_request_is_tried_again_at_once(peer: Peer, status: int) -> None:
    peer.faults.next(Fault("answer", status=status))

    assert Outbound().post_json(peer.url, {}).status == 200


def test_a_repeatable_request_is_tried_three_times_in_all(peer: Peer) -> None:
    peer.answer = lambda: Response(status_code=503)

    with pytest.raises(Busy):
        Outbound().post_json(peer.url, {})

    assert len(peer.requests) == 3


@pytest.mark.parametrize("status", [408, 425, 429, 501])
def test_some_statuses_are_better_tried_again_later(peer: Peer, status: int) -> None:
    peer.answer = lambda: Response(status_code=status)

    with pytest.raises(Busy):
        Outbound().post_json(peer.url, {})

    assert len(peer.requests) == 1


def test_a_server_that_says_when_to_come_back_is_not_asked_before(peer: Peer) -> None:
    peer.answer = lambda: Response(status_code=503, headers={"Retry-After": "120"})

    with pytest.raises(Busy) as raised:
        Outbound().post_json(peer.url, {})

    assert len(peer.requests) == 1
    assert raised.value.retry_after_s == 120


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_request_that_may_not_be_repeated_is_sent_once_if_the_server_fails(
    peer: Peer, status: int
) -> None:
    peer.answer = lambda: Response(status_code=status)

    with pytest.raises(Busy):
        Outbound().post_json(peer.url, {}, repeatable=False)

    assert len(peer.requests) == 1


def test_a_request_that_may_not_be_repeated_is_sent_once_if_the_answer_is_lost(peer: Peer) -> None:
    peer.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome, match="broke the connection"):
        Outbound().post_json(peer.url, {}, repeatable=False)

    assert len(peer.requests) == 1


def test_a_repeatable_request_is_sent_again_if_the_answer_is_lost(peer: Peer) -> None:
    peer.faults.next(Fault("lost"))

    assert Outbound().post_json(peer.url, {}).status == 200
    assert len(peer.requests) == 2


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_busy_answer_after_a_lost_one_leaves_the_outcome_unknown(peer: Peer, status: int) -> None:
    peer.faults.next(Fault("lost"))
    peer.faults.next(Fault("answer", status=status, headers={"Retry-After": "60"}))

    with pytest.raises(UnknownOutcome, match=f"answered {status}") as raised:
        Outbound().post_json(peer.url, {})

    assert raised.value.retry_after_s == 60


def test_busy_answers_alone_leave_nothing_unknown(peer: Peer) -> None:
    peer.faults.always(Fault("answer", status=503))

    with pytest.raises(Busy) as raised:
        Outbound().post_json(peer.url, {})

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_server_that_is_gone_after_a_lost_answer_leaves_the_outcome_unknown() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def take_one_and_be_gone() -> None:
        connection, _ = listener.accept()
        listener.close()
        with connection:
            connection.recv(65_536)

    server = threading.Thread(target=take_one_and_be_gone)
    server.start()
    with pytest.raises(UnknownOutcome, match="broke the connection"):
        Outbound().post_json(f"http://127.0.0.1:{listener.getsockname()[1]}/", {})
    server.join()


def test_a_request_that_certainly_never_arrived_is_tried_again_though_not_repeatable() -> None:
    answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    with a_raw_server(answer, listens_after_s=0.3) as url:
        assert Outbound().post_json(url, {}, repeatable=False).status == 202


@pytest.mark.parametrize("repeatable", [True, False])
def test_no_answer_in_time_leaves_the_outcome_unknown(*, peer: Peer, repeatable: bool) -> None:
    peer.faults.always(Fault("slow", seconds=0.4))

    with pytest.raises(UnknownOutcome, match=r"^127\.0\.0\.1 did not answer in 0\.1 s$"):
        Outbound(read_timeout_s=0.1).post_json(peer.url, {}, repeatable=repeatable)


def test_an_answer_that_stops_in_the_middle_leaves_the_outcome_unknown() -> None:
    begun = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"begun'

    with a_raw_server(begun) as url, pytest.raises(UnknownOutcome, match="broke the connection"):
        Outbound().post_json(url, {})


def test_an_answer_that_pauses_in_the_middle_leaves_the_outcome_unknown() -> None:
    begun = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"begun'

    with (
        a_raw_server(begun, every_s=5) as url,
        pytest.raises(UnknownOutcome, match=r"did not answer in 0\.1 s"),
    ):
        Outbound(read_timeout_s=0.1).post_json(url, {})


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 500\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"],
)
def test_an_answer_that_dribbles_is_given_up(head: bytes) -> None:
    part = b"1\r\n1\r\n" if b"chunked" in head else b"1"
    begun = b"HTTP/1.1 200 OK\r\n" + head

    with (
        a_raw_server(begun, *[part] * 400, every_s=0.01) as url,
        pytest.raises(UnknownOutcome, match=r"took more than 0\.2 s"),
    ):
        Outbound(read_timeout_s=5, whole_answer_s=0.2).get_json(url)


def test_a_refused_connection_is_told_from_a_broken_one(peer: Peer, refusing_url: str) -> None:
    peer.faults.next(Fault("cut"))

    with pytest.raises(Busy, match="could not be reached") as refused:
        Outbound().post_json(refusing_url, {}, repeatable=False)
    with pytest.raises(UnknownOutcome, match="broke the connection"):
        Outbound().post_json(peer.url, {}, repeatable=False)

    assert not isinstance(refused.value, UnknownOutcome)


def test_a_host_that_does_not_exist_is_temporary() -> None:
    with pytest.raises(Busy, match=r"^nowhere\.invalid could not be reached$"):
        Outbound().post_json("https://nowhere.invalid/path", {}, repeatable=False)


def test_a_peer_that_does_not_speak_tls_is_temporary(peer: Peer) -> None:
    with pytest.raises(Busy, match="TLS") as raised:
        Outbound().post_json(peer.url.replace("http://", "https://"), {})

    assert not isinstance(raised.value, UnknownOutcome)


def test_a_proxy_that_is_away_leaves_nothing_unknown(
    refusing_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", refusing_url)

    with pytest.raises(Busy, match="through the proxy") as raised:
        Outbound().post_json("https://events.example/path", {}, repeatable=False)

    assert not isinstance(raised.value, UnknownOutcome)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_post_is_refused(peer: Peer, another_peer: Peer, status: int) -> None:
    peer.answer = lambda: RedirectResponse(another_peer.url, status)

    with pytest.raises(Refused, match=f"answered {status}, a redirect: is its base URL right"):
        Outbound().post_json(peer.url, {}, headers={"Authorization": f"Bearer {SECRET}"})

    assert another_peer.requests == []


def test_a_redirected_get_is_refused_unless_asked_to_follow(peer: Peer) -> None:
    peer.answer = lambda: RedirectResponse(f"{peer.url}/elsewhere")

    with pytest.raises(Refused, match="redirect"):
        Outbound().get_json(peer.url)


def test_a_followed_redirect_takes_no_authorization_to_another_host(
    peer: Peer, another_peer: Peer
) -> None:
    peer.answer = lambda: RedirectResponse(f"{another_peer.url}/bucket/manifest.json")

    Outbound().get_json(
        peer.url, headers={"Authorization": f"Bearer {SECRET}"}, follow_redirects=True
    )

    assert peer.header("authorization") == f"Bearer {SECRET}"
    assert another_peer.header("authorization") is None


def test_a_followed_redirect_on_the_same_host_keeps_the_authorization(peer: Peer) -> None:
    answers = iter([RedirectResponse(f"{peer.url}/elsewhere"), Response("{}")])
    peer.answer = lambda: next(answers)

    Outbound().get_json(
        peer.url, headers={"Authorization": f"Bearer {SECRET}"}, follow_redirects=True
    )

    assert peer.header("authorization") == f"Bearer {SECRET}"


def test_redirects_without_end_are_permanent(peer: Peer) -> None:
    peer.answer = lambda: RedirectResponse(f"{peer.url}/again")

    with pytest.raises(PermanentFailure, match="a redirect"):
        Outbound().get_json(peer.url, follow_redirects=True)


def test_credentials_of_a_netrc_file_are_used_nowhere(
    peer: Peer, another_peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    peer.answer = lambda: RedirectResponse(another_peer.url)

    Outbound().get_json(peer.url, follow_redirects=True)
    Outbound().post_json(another_peer.url, {})

    assert peer.header("authorization") is None
    assert [request.headers.get("authorization") for request, _ in another_peer.requests] == [
        None,
        None,
    ]


@pytest.mark.parametrize(("size", "fits"), [(1_000, True), (1_001, False)])
def test_an_answer_may_be_as_large_as_the_limit(*, peer: Peer, size: int, fits: bool) -> None:
    peer.answer = lambda: Response(b" " * (size - 2) + b"{}")

    def get() -> Reply:
        return Outbound().get_json(peer.url, answer_limit_bytes=1_000)

    if fits:
        assert get().content == {}
    else:
        with pytest.raises(PermanentFailure, match="more than 1,000 bytes"):
            get()


def test_a_small_answer_that_unfolds_into_a_large_one_is_refused(peer: Peer) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    peer.answer = lambda: Response(bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(PermanentFailure, match="more than 1,000,000 bytes"):
        Outbound().get_json(peer.url)


@pytest.mark.parametrize("status", [200, 400, 503])
def test_behind_the_status_nothing_is_read_if_the_status_is_all_that_counts(
    peer: Peer, status: int
) -> None:
    peer.faults.always(Fault("answer", status=status, body={"x": "y" * 2_000_000}))

    try:
        reply = Outbound().post_json(peer.url, {}, repeatable=False, answer_limit_bytes=0)
    except (Refused, Busy) as refused:
        reply = refused.reply

    assert (reply.status, reply.body, reply.content) == (status, "", None)


def test_what_a_refusal_says_is_read_no_further_than_an_answer(peer: Peer) -> None:
    peer.faults.always(Fault("answer", status=400, body={"x": "y" * 1_000}))

    with pytest.raises(Refused) as raised:
        Outbound().post_json(peer.url, {}, answer_limit_bytes=100)

    assert raised.value.reply.body == ""


def leading_to(*addresses: str) -> PublicHosts:
    """Where every name has these addresses."""

    def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return PublicHosts(resolve=resolve)


def test_the_way_to_public_hosts_leads_nowhere_else(peer: Peer) -> None:
    outbound = Outbound(hosts=leading_to("127.0.0.1"))
    url = peer.url.replace("127.0.0.1", "hooks.example")

    with pytest.raises(PermanentFailure, match="leads to a loopback address") as raised:
        outbound.to_public_hosts().post_json(f"{url}/{SECRET}", {})

    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert peer.requests == []


def test_the_way_to_public_hosts_leads_to_this_machine_if_the_url_names_it(peer: Peer) -> None:
    reply = Outbound(hosts=leading_to("127.0.0.1")).to_public_hosts().post_json(peer.url, {})

    assert reply.content == {"ok": True}


def test_the_way_to_public_hosts_is_otherwise_the_same(peer: Peer) -> None:
    outbound = Outbound(read_timeout_s=1, clock=lambda: NOW)
    peer.faults.next(Fault("answer", status=429, headers={"Retry-After": "77"}))

    with pytest.raises(Busy) as raised:
        outbound.to_public_hosts().post_json(peer.url, {})

    guarded = outbound.to_public_hosts()
    assert raised.value.retry_after_s == 77
    assert guarded.clock is outbound.clock
    assert guarded.read_timeout_s == PUBLIC_READ_TIMEOUT_S
    assert guarded.tokens is outbound.tokens


def test_the_way_to_public_hosts_leads_past_every_proxy(
    peer: Peer, refusing_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, refusing_url)
        monkeypatch.setenv(name.lower(), refusing_url)
    monkeypatch.setenv("NO_PROXY", "")

    assert Outbound().to_public_hosts().post_json(peer.url, {}).status == 200


def _redirect() -> Response:
    return RedirectResponse(f"/{SECRET}")


FAILURES: dict[str, Callable[[Peer], None]] = {
    "refused": lambda peer: peer.faults.always(
        Fault("answer", status=400, body={"errors": [SECRET]})
    ),
    "unauthorized": lambda peer: peer.faults.always(
        Fault("answer", status=401, headers={"X-Echo": SECRET})
    ),
    "busy": lambda peer: peer.faults.always(
        Fault("answer", status=503, body={"echo": SECRET}, headers={"Retry-After": SECRET})
    ),
    "time-out": lambda peer: peer.faults.always(Fault("slow", seconds=0.5)),
    "cut": lambda peer: peer.faults.always(Fault("cut")),
    "lost": lambda peer: peer.faults.always(Fault("lost")),
    "redirect": lambda peer: setattr(peer, "answer", _redirect),
    "too large": lambda peer: setattr(peer, "answer", lambda: Response(SECRET * 100)),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_and_no_log_line_holds_a_path_a_header_or_a_body(
    failure: str, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    FAILURES[failure](peer)

    with pytest.raises(Failure) as raised:
        Outbound(read_timeout_s=0.1).post_json(
            f"{peer.url}/services/{SECRET}?token={SECRET}",
            {"routing_key": SECRET},
            headers={"X-Token": SECRET},
            basic=("user", SECRET),
            repeatable=False,
            answer_limit_bytes=10,
        )

    _tells_nothing(raised.value, caplog)


def test_no_refused_connection_tells_where_it_was_going(
    refusing_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Busy) as raised:
        Outbound().post_json(f"{refusing_url}/{SECRET}", {"key": SECRET})

    _tells_nothing(raised.value, caplog)


@pytest.mark.parametrize(
    ("url", "header"),
    [
        (f"http://127.0.0.1:99999/{SECRET}", "fine"),
        (f"ftp://127.0.0.1/{SECRET}", "fine"),
        (f"http://{SECRET}%zz@127.0.0.1:1:1/", "fine"),
        (f"http://*.example/{SECRET}", "fine"),
        ("http://127.0.0.1:1/", f"{SECRET}\r\nX-Injected: yes"),
        ("http://127.0.0.1:1/", f"{SECRET}\u2603"),
    ],
)
def test_no_request_that_cannot_be_made_tells_why_in_its_own_words(
    url: str, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Failure) as raised:
        Outbound().post_json(url, {"key": SECRET}, headers={"X-Token": header})

    _tells_nothing(raised.value, caplog)


def _tells_nothing(failure: Failure, caplog: pytest.LogCaptureFixture) -> None:
    assert SECRET not in f"{failure!r} {vars(failure)}"
    assert SECRET not in "".join(traceback.format_exception(failure))
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture(scope="module")
def steady_peer(hosts: tuple[Host, Host]) -> Peer:
    """One for many examples."""
    return hosts[0].a_peer()


@given(secret=st.text(min_size=6, max_size=40), name=st.sampled_from(["header", "path", "basic"]))
def test_whatever_a_secret_consists_of_it_is_in_no_message(
    steady_peer: Peer, secret: str, name: str
) -> None:
    steady_peer.faults.always(Fault("answer", status=400))
    marked = f"~{secret}~"

    with pytest.raises(PermanentFailure) as raised:
        Outbound().post_json(
            f"{steady_peer.url}/{marked if name == 'path' else ''}",
            {},
            headers={"X-Token": marked} if name == "header" else {},
            basic=("user", marked.encode("utf-8", "replace").decode()) if name == "basic" else None,
            repeatable=False,
        )

    assert marked not in str(raised.value)
    assert str(raised.value).startswith("127.0.0.1")


@given(content=st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=10))
def test_whatever_is_sent_is_valid_utf8(content: object) -> None:
    encode(content).decode("utf-8")


def test_json_is_written_without_spaces_and_without_escapes() -> None:
    assert encode({"a": ["é", "🙂"]}) == '{"a":["é","🙂"]}'.encode()
    assert json.loads(encode("half \ud83d")) == "half ?"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣٠", None),
        ("0", 0),
        ("30", 30),
        (" 30 ", 30),
        ("3600", 3_600),
        ("3601", RETRY_AFTER_LIMIT_S),
        ("9" * 5_000, RETRY_AFTER_LIMIT_S),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=2), usegmt=True), RETRY_AFTER_LIMIT_S),
        ("Mon, 05 Jan 2026 12:00:10", 10),
        ("Mon, 05 Jan 2026 12:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d{1,2} Jan \d{1,6} \d+:\d+:\d+ [+-]?\d{1,30}"))
def test_no_retry_after_is_ever_an_error(header: str) -> None:
    seconds = retry_after_s(header, NOW)

    assert seconds is None or 0 <= seconds <= RETRY_AFTER_LIMIT_S


def test_retry_after_as_a_date_is_measured_by_the_clock_handed_in(peer: Peer) -> None:
    now = datetime(2001, 1, 1, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=45), usegmt=True)
    peer.answer = lambda: Response(status_code=429, headers={"Retry-After": date})

    with pytest.raises(Busy) as raised:
        Outbound(clock=lambda: now).post_json(peer.url, {})

    assert raised.value.retry_after_s == 45


def test_threads_may_share_it(peer: Peer) -> None:
    outbound = Outbound()
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(outbound.get_json(peer.url).content))
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert answers == [{"ok": True}] * 8


# an answer that never quite begins


@contextmanager
def dribbling(piece: bytes) -> Iterator[str]:
    """A server that answers with `piece` again and again, before anybody is tired of waiting."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 " if piece != CONTINUE else b"")
                while not over.wait(0.05):
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join(10)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("piece", [b"2", CONTINUE], ids=["a byte", "continue"])
def test_an_answer_whose_head_dribbles_is_not_waited_for_for_ever(piece: bytes) -> None:
    with dribbling(piece) as url, pytest.raises(UnknownOutcome, match="did not answer"):
        Outbound(read_timeout_s=0.3).post_json(url, {}, repeatable=False)


def test_a_body_that_comes_slowly_is_read_though_its_head_took_its_time(peer: Peer) -> None:
    peer.answer = lambda: Response(json.dumps({"text": "x" * 300_000}))

    for _ in range(3):  # the connection is kept, and its time-outs are as before
        assert len(Outbound(read_timeout_s=5).post_json(peer.url, {}).text("text")) == 300_000


def test_a_door_that_closes_lets_no_further_request_begin(peer: Peer) -> None:
    outbound = Outbound()

    with pytest.raises(Busy, match="was not begun"):
        outbound.until(0).post_json(peer.url, {})
    outbound.until(60).post_json(peer.url, {})

    assert len(peer.requests) == 1


@pytest.mark.parametrize(
    "path", ["a%2fb/%7Euser?x=%7e&sp=%2Ftriggers%2Fmanual&sig=aB-_c%2Bd%7Ee%2Df", "a?b=&b=&c"]
)
def test_a_url_that_was_signed_goes_out_to_the_letter(path: str) -> None:
    sent = []

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            sent.append(request.url)
            raise requests.ConnectTimeout

    sessions = {True: Session(), False: Session()}
    outbound = replace(Outbound(), _sessions=sessions)

    with pytest.raises(Busy):
        outbound.post_json(f"https://x.example:443/{path}", {}, to_the_letter=True)

    assert sent == [f"https://x.example:443/{path}"]
