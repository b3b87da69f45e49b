"""Push tokens, as Google's own library verifies them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import requests
from google.auth import exceptions, jwt
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from lab.pubsub.tokens import Signer
from tests.lab.pubsub.clients import Clients
from tests.lab.pubsub.endpoint import Endpoint

ACCOUNT = "afterrun-push@lab.iam.gserviceaccount.com"
AUDIENCE = "https://subscriber.example"


@pytest.fixture
def fetch() -> Iterator[Request]:
    with requests.Session() as session:
        yield Request(session)


def pushed_token(clients: Clients, endpoint: Endpoint, **token: str) -> str:
    topic = clients.a_topic()
    config = {
        "push_endpoint": endpoint.url,
        "oidc_token": {"service_account_email": ACCOUNT, **token},
    }
    clients.a_subscription(topic, push_config=config)
    clients.publish(topic)
    (push,) = endpoint.pushes(1)
    scheme, _, value = push.headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    return value


def test_a_subscriber_can_verify_a_push(
    clients: Clients, endpoint: Endpoint, fetch: Request
) -> None:
    token = pushed_token(clients, endpoint, audience=AUDIENCE)

    claims: Mapping[str, Any] = id_token.verify_token(
        token, fetch, audience=AUDIENCE, certs_url=clients.server.certs_url
    )

    assert claims["iss"] == "https://accounts.google.com"
    assert claims["email"] == ACCOUNT
    assert claims["email_verified"] is True
    assert claims["sub"] == claims["azp"]
    assert claims["sub"].isdecimal()
    assert claims["exp"] - claims["iat"] == 3_600


def test_without_an_audience_it_is_the_whole_endpoint(clients: Clients, endpoint: Endpoint) -> None:
    token = pushed_token(clients, endpoint)

    assert jwt.decode(token, verify=False)["aud"] == endpoint.url


def test_a_token_of_another_server_does_not_verify(clients: Clients, fetch: Request) -> None:
    token = Signer().token(ACCOUNT, AUDIENCE)

    with pytest.raises(exceptions.GoogleAuthError):
        id_token.verify_token(token, fetch, AUDIENCE, certs_url=clients.server.certs_url)


def test_the_certificates_are_served_as_google_serves_them(clients: Clients) -> None:
    answer = requests.get(clients.server.certs_url, timeout=10)

    certificates = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert "max-age=3600" in answer.headers["cache-control"]
    assert all(each.startswith("-----BEGIN CERTIFICATE-----\n") for each in certificates.values())


def test_the_header_names_algorithm_and_key() -> None:
    signer = Signer()

    header, _, _, _ = jwt._unverified_decode(signer.token(ACCOUNT, AUDIENCE))

    assert header == {"alg": "RS256", "typ": "JWT", "kid": next(iter(signer.certificates()))}


def test_a_token_is_sent_again_to_the_same_audience_only() -> None:
    signer = Signer()

    tokens = [signer.token(ACCOUNT, audience) for audience in ("a", "a", "b")]

    assert tokens[0] == tokens[1] != tokens[2]
    assert json.dumps(tokens)
