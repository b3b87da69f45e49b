"""Push tokens: what is ours, what is not, and what cannot be told now."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from lab.pubsub.tokens import CERTS_PATH, Signer, certificates_app
from lab.serve import serve
from shared.errors import TemporaryFailure
from shared.settings import is_loopback
from subscriber import certificates
from subscriber.push_auth import FAILED_S, REFETCH_S, Certificates, NotOurs, Off, Platform, Verify

AUDIENCE = "https://afterrun-subscriber.example.run.app"
ACCOUNT = "push@acme.iam.gserviceaccount.com"
PEER = "203.0.113.7"
NOW = 1_767_614_400
LONG_AGO = 1_500_000_000
KEY_ID, LABS_SIGNER = "ours", Signer()
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"


class Ticking:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Google:
    """Where certificates come from; counts how often it is asked."""

    def __init__(self, certs: dict[str, str], cache: str = "public, max-age=3600") -> None:
        self.certs: Any = certs
        self.cache = cache
        self.asked = 0
        self.is_away = False

    def __call__(self) -> tuple[bytes, str]:
        self.asked += 1
        if self.is_away:
            raise TemporaryFailure("certificates of push tokens: ConnectionError")
        return json.dumps(self.certs).encode(), self.cache


@cache
def a_key() -> rsa.RSAPrivateKey:
    """Google's, as it were; made once, since it takes a while."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def its_certificates() -> dict[str, str]:
    """As Google publishes them: by key id."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "federated-signon.invalid")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, a_key().public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(a_key(), hashes.SHA256())
    )
    return {KEY_ID: certificate.public_bytes(serialization.Encoding.PEM).decode()}


def a_verify(google: Google | None = None, clock: Callable[[], float] = time.monotonic) -> Verify:
    return Verify(AUDIENCE, ACCOUNT, Certificates(google or Google(its_certificates()), clock))


def a_platform() -> Platform:
    return Platform(AUDIENCE, ACCOUNT, clock=lambda: float(NOW))


def claims(now: float = NOW, **changed: Any) -> dict[str, Any]:
    """Those of a good token; a claim changed to None is left out."""
    made = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": ACCOUNT,
        "email_verified": True,
        "sub": "113774264463038321964",
        "azp": "113774264463038321964",
        "iat": int(now) - 60,
        "exp": int(now) + 3_540,
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def bearer(key: rsa.RSAPrivateKey | None = None, **changed: Any) -> str:
    """The header of a request whose token is signed, and valid now but for what is changed."""
    signer = crypt.RSASigner(key or a_key(), key_id=KEY_ID)
    token: bytes = jwt.encode(signer, claims(time.time(), **changed))
    return f"Bearer {token.decode()}"


def unsigned(told: object, header: object = None, signature: str = REMOVED) -> str:
    """A header as Cloud Run passes it on: whatever the claims, with the signature removed."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (header or {"alg": "RS256", "typ": "JWT", "kid": "k"}, told)
    ]
    return f"Bearer {parts[0]}.{parts[1]}.{signature}"


def refused(check: Callable[[], None]) -> str:
    with pytest.raises(NotOurs) as raised:
        check()
    return str(raised.value)


# verify


def test_a_token_that_pubsub_signed_for_us_is_ours() -> None:
    a_verify().check(bearer(), PEER)
    a_verify().check(bearer().replace("Bearer ", "bearer  "), PEER)


def test_googles_issuer_has_two_spellings() -> None:
    a_verify().check(bearer(iss="accounts.google.com"), PEER)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"aud": "https://another.example"}, "audience"),
    ({"aud": f"{AUDIENCE}/"}, "audience"),
    ({"aud": AUDIENCE.upper()}, "audience"),
    ({"aud": None}, "audience"),
    ({"aud": [AUDIENCE, "x"]}, "audience"),
    ({"iss": "https://accounts.example.com"}, "not Google's"),
    ({"iss": None}, "not Google's"),
    ({"email": "other@acme.iam.gserviceaccount.com"}, "another account's"),
    ({"email": ACCOUNT.upper()}, "another account's"),
    ({"email": None}, "another account's"),
    ({"email_verified": False}, "another account's"),
    ({"email_verified": "true"}, "another account's"),
    ({"email_verified": None}, "another account's"),
]
WRONG_TIMES = [
    {"exp": LONG_AGO},
    {"exp": None},
    {"iat": None},
    {"iat": "now"},
    {"exp": "later"},
    {"iat": True},
    {"iat": 10**11},
    {"iat": [1]},
]


@pytest.mark.parametrize(("changed", "why"), WRONG)
def test_verify_refuses_a_token_with_a_wrong_claim_and_fetches_nothing_for_it(
    changed: dict[str, Any],
    why: str,
) -> None:
    google = Google(its_certificates())

    assert why in refused(lambda: a_verify(google).check(bearer(**changed), PEER))
    assert google.asked == 0


@pytest.mark.parametrize("changed", WRONG_TIMES)
def test_verify_refuses_a_token_that_is_not_valid_now(
    changed: dict[str, Any],
) -> None:
    refused(lambda: a_verify().check(bearer(**changed), PEER))


def test_clocks_may_differ_a_little() -> None:
    now = int(time.time())

    a_verify().check(bearer(iat=now + 5, exp=now + 3_605), PEER)
    a_verify().check(bearer(iat=now - 3_605, exp=now - 5), PEER)


@pytest.mark.parametrize("shift_s", [60, -3_700])
def test_but_not_much(shift_s: int) -> None:
    issued = int(time.time()) + shift_s

    said = refused(lambda: a_verify().check(bearer(iat=issued, exp=issued + 3_600), PEER))

    assert said == "the push token is not valid now"


def test_a_token_signed_with_another_key_is_not_ours() -> None:
    another = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    said = refused(lambda: a_verify().check(bearer(another), PEER))

    assert said == "the push token's signature is wrong"


def test_a_token_that_was_changed_is_not_ours() -> None:
    head, _, signature = bearer(email="evil@acme.example").split(".")
    _, claimed, _ = bearer().split(".")

    said = refused(lambda: a_verify().check(f"{head}.{claimed}.{signature}", PEER))

    assert said == "the push token's signature is wrong"


@pytest.mark.parametrize("signature", ["", "AAAA", "x" * 342])
def test_a_token_that_says_it_needs_no_signature_is_not_ours(signature: str) -> None:
    told = claims(time.time())
    algorithms: list[Any] = [
        "none",
        "None",
        "HS256",
        "ES256",
        "PS256",
        "RS256",
        None,
        ["RS256"],
        {},
    ]

    for algorithm in algorithms:
        header = {"alg": algorithm, "kid": KEY_ID}
        said = refused(
            lambda header=header: a_verify().check(unsigned(told, header, signature), PEER)  # type: ignore[misc]
        )
        assert said == "the push token's signature is wrong"


@pytest.mark.parametrize("kid", [None, "", 5, ["k"], {"k": "k"}])
def test_a_token_without_a_usable_key_id_is_not_ours(kid: Any) -> None:
    header = {"alg": "RS256", "kid": kid}

    refused(lambda: a_verify().check(unsigned(claims(time.time()), header, "AAAA"), PEER))


def test_a_removed_signature_is_refused_and_the_fix_is_said() -> None:
    said = refused(lambda: a_verify().check(unsigned(claims(time.time())), PEER))

    assert said == (
        "the push token's signature was removed: behind Cloud Run's own check, "
        "PUSH_AUTH=platform is right"
    )


NO_TOKENS = ["", "Bearer", "Bearer ", "Basic abc", "Bearer a", "Bearer a.b", "Bearer a.b.c.d"]
NO_TOKENS += ["Bearer ..", "Bearer é.é.é", "a.b.c", "Bearer\ta.b.c"]


@pytest.mark.parametrize("header", NO_TOKENS)
def test_a_request_without_a_token_is_not_ours_and_fetches_nothing(header: str) -> None:
    google = Google(its_certificates())

    refused(lambda: a_verify(google).check(header, PEER))
    refused(lambda: a_platform().check(header, PEER))

    assert google.asked == 0


DEEP = base64.urlsafe_b64encode(b"[" * 6_000).decode()
HEADER = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"k"}').decode().rstrip("=")
PARTS = st.one_of(
    st.text(max_size=30),
    st.binary(max_size=40).map(lambda part: base64.urlsafe_b64encode(part).decode()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["alg", "kid", "iat", "exp", "aud", "iss", "email"]), inner
            )
        ),
        max_leaves=6,
    ).map(lambda part: base64.urlsafe_b64encode(json.dumps(part).encode()).decode()),
    st.sampled_from([DEEP, HEADER, "", REMOVED]),
)


@given(st.lists(PARTS, min_size=2, max_size=4), st.sampled_from(["Bearer ", "bearer ", "", "X "]))
def test_garbage_is_never_anything_but_not_ours(parts: list[str], scheme: str) -> None:
    header = scheme + ".".join(parts)

    refused(lambda: a_verify(Google({"k": "no certificate"})).check(header, PEER))
    refused(lambda: a_platform().check(header, PEER))


def test_claims_that_are_nested_without_end_are_not_ours() -> None:
    for parts in ([HEADER, DEEP, "AAAA"], [DEEP, HEADER, "AAAA"]):
        header = f"Bearer {'.'.join(parts)}"
        refused(lambda header=header: a_verify(Google({"k": "x"})).check(header, PEER))  # type: ignore[misc]
        refused(lambda header=header: a_platform().check(header, PEER))  # type: ignore[misc]


def test_no_refusal_repeats_the_token() -> None:
    header = bearer(aud="https://another.example")

    for check in (a_verify().check, a_platform().check):
        said = refused(lambda check=check: check(header, PEER))  # type: ignore[misc]
        assert not [part for part in header.split(".") if part in said]
        assert "another.example" not in said


# certificates


def test_certificates_are_fetched_once_for_as_long_as_they_say() -> None:
    google, clock = Google(its_certificates()), Ticking()
    kept = Certificates(google, clock)

    for _ in range(3):
        assert kept.holding(KEY_ID) == its_certificates()
    clock.now += 3_600
    kept.holding(KEY_ID)
    assert google.asked == 1
    clock.now += 1
    kept.holding(KEY_ID)

    assert google.asked == 2


@pytest.mark.parametrize("cache", ["", "no-store", "max-age=soon", "max-age=-5"])
def test_certificates_that_do_not_say_how_long_are_kept_for_half_a_minute(cache: str) -> None:
    google, clock = Google({"a": "x"}, cache), Ticking()
    kept = Certificates(google, clock)

    kept.holding("a")
    clock.now += REFETCH_S
    kept.holding("a")
    assert google.asked == 1
    clock.now += 1
    kept.holding("a")

    assert google.asked == 2


def test_a_key_that_is_not_known_leads_to_one_look_in_half_a_minute() -> None:
    google, clock = Google({"old": "x"}), Ticking()
    kept = Certificates(google, clock)
    kept.holding("old")

    clock.now += REFETCH_S + 1
    google.certs = {"new": "y"}
    assert kept.holding("new") == {"new": "y"}
    for _ in range(10):
        kept.holding("made up")
    assert google.asked == 2
    clock.now += REFETCH_S + 1
    for _ in range(10):
        kept.holding("made up")

    assert google.asked == 3


def test_a_new_key_of_googles_is_known_after_half_a_minute() -> None:
    google, clock = Google({"old": "x"}), Ticking()
    verify = a_verify(google, clock)
    refused(lambda: verify.check(bearer(), PEER))

    google.certs = its_certificates()
    clock.now += REFETCH_S + 1

    verify.check(bearer(), PEER)


def test_certificates_that_cannot_be_had_make_the_push_come_again() -> None:
    google = Google(its_certificates())
    google.is_away = True
    now = [0.0]
    verify = a_verify(google, lambda: now[0])

    with pytest.raises(TemporaryFailure):
        verify.check(bearer(), PEER)
    google.is_away = False
    now[0] += FAILED_S

    verify.check(bearer(), PEER)


def test_while_certificates_cannot_be_had_no_push_waits_for_the_one_before() -> None:
    google = Google(its_certificates())
    google.is_away = True
    verify = a_verify(google, lambda: 0.0)

    for _ in range(5):
        with pytest.raises(TemporaryFailure):
            verify.check(bearer(), PEER)

    assert google.asked == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_certificates_that_are_none_make_the_push_come_again(body: bytes) -> None:
    kept = Certificates(lambda: (body, ""))

    with pytest.raises(TemporaryFailure, match="not what they should be"):
        kept.holding("k")


def test_many_threads_fetch_certificates_once() -> None:
    google = Google(its_certificates())
    kept = Certificates(google)
    threads = [threading.Thread(target=kept.holding, args=("k",)) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert google.asked == 1


@pytest.fixture(scope="module")
def certs_server() -> Iterator[str]:
    def answer(request: Request) -> Response:
        if request.url.path == "/away":
            return RedirectResponse(CERTS_PATH)
        return Response("secret words", int(request.url.path[1:]))

    routes = [
        *certificates_app(LABS_SIGNER).routes,
        Route("/{path:path}", answer),
    ]
    with serve(Starlette(routes=routes)) as url:
        yield url


def test_certificates_come_over_http_with_how_long_they_hold(
    certs_server: str,
) -> None:
    body, cache = certificates.fetch(certs_server + CERTS_PATH)

    assert json.loads(body) == LABS_SIGNER.certificates()
    assert "max-age=3600" in cache
    kept = Certificates(lambda: certificates.fetch(certs_server + CERTS_PATH))
    token = LABS_SIGNER.token(ACCOUNT, AUDIENCE)
    Verify(AUDIENCE, ACCOUNT, kept).check(f"Bearer {token}", PEER)


@pytest.mark.parametrize("path", ["/404", "/500", "/204", "/away"])
def test_any_other_answer_means_not_now(path: str, certs_server: str) -> None:
    with pytest.raises(TemporaryFailure, match=r"^certificates of push tokens: \d+$"):
        certificates.fetch(certs_server + path)


def test_no_answer_means_not_now() -> None:
    with pytest.raises(TemporaryFailure, match=r"^certificates of push tokens: ConnectionError$"):
        certificates.fetch("http://127.0.0.1:1/certs")


# platform


def test_platform_accepts_what_cloud_run_has_verified() -> None:
    a_platform().check(unsigned(claims()), PEER)
    a_platform().check(unsigned(claims(iss="accounts.google.com")), PEER)


@pytest.mark.parametrize(("changed", "why"), WRONG)
def test_platform_compares_what_the_token_says(changed: dict[str, Any], why: str) -> None:
    assert why in refused(lambda: a_platform().check(unsigned(claims(**changed)), PEER))


@pytest.mark.parametrize(
    "changed", [*WRONG_TIMES, {"iat": 10**400}, {"exp": float("nan")}, {"iat": NOW + 60}]
)
def test_platform_refuses_a_token_that_is_not_valid_now(changed: dict[str, Any]) -> None:
    refused(lambda: a_platform().check(unsigned(claims(**changed)), PEER))


@pytest.mark.parametrize(
    ("changed", "is_ours"),
    [
        ({"iat": NOW + 10}, True),
        ({"iat": NOW + 11}, False),
        ({"exp": NOW - 10}, True),
        ({"exp": NOW - 11}, False),
    ],
)
def test_platform_lets_clocks_differ_by_ten_seconds(
    changed: dict[str, Any],
    is_ours: bool,  # noqa: FBT001 - a table
) -> None:
    header = unsigned(claims(**changed))

    if is_ours:
        a_platform().check(header, PEER)
    else:
        assert refused(lambda: a_platform().check(header, PEER)) == (
            "the push token is not valid now"
        )


# off


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_off_takes_pushes_of_this_machine_only(peer: str) -> None:
    off = Off(is_emulated=False, is_loopback=is_loopback)

    off.check("", peer)
    for other in (PEER, "unknown", ""):
        assert "loopback" in refused(lambda other=other: off.check("", other))  # type: ignore[misc]


def test_off_takes_any_push_where_pubsub_is_an_emulator() -> None:
    Off(is_emulated=True, is_loopback=is_loopback).check("", PEER)
