"""Signing in as an app, as the lab's Power BI asks for it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from lab.entra import FORM, LASTS, SCOPE, Entra, SignInRefused
from tests.builders import NOW, Clock

TENANT = "c8a9e4a0-98e2-4d0d-9d7e-1f0a4d4d2f10"
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "an-app",
    "client_secret": "s3cr=t&~ü",
    "scope": SCOPE,
}


def an_entra(clock: Clock | None = None) -> Entra:
    return Entra(TENANT, "an-app", "s3cr=t&~ü", clock or Clock())


def give(entra: Entra, tenant: str = TENANT, content_type: str = FORM, **form: str) -> Any:
    return entra.give(tenant, content_type, urlencode(CREDENTIALS | form).encode())


def test_an_app_is_given_a_token_for_about_an_hour() -> None:
    clock = Clock()
    entra = an_entra(clock)

    told = give(entra)

    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3_599)
    assert entra.knows(f"Bearer {told['access_token']}")
    clock.now += LASTS - timedelta(seconds=1)
    assert entra.knows(f"Bearer {told['access_token']}")
    clock.passes(1)
    assert not entra.knows(f"Bearer {told['access_token']}")


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ", "Bearer other", "Basic {token}"])
def test_what_is_no_such_token_is_not_known(shown: str) -> None:
    entra = an_entra()
    token = give(entra)["access_token"]

    assert not entra.knows(shown.format(token=token))


def test_tokens_can_be_revoked() -> None:
    entra = an_entra()
    token = give(entra)["access_token"]

    entra.revoke()

    assert not entra.knows(f"Bearer {token}")
    assert entra.tokens == [token]


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "other"}, 400, "unauthorized_client", 700016),
        ({"tenant": "other"}, 400, "invalid_request", 90002),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope", 70011),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"content_type": "application/json"}, 400, "invalid_request", 900144),
    ],
)
def test_each_mistake_has_a_number_of_its_own(
    form: dict[str, str], status: int, error: str, code: int
) -> None:
    entra = an_entra()

    with pytest.raises(SignInRefused) as raised:
        give(entra, **form)

    told = raised.value.told(NOW)
    assert (raised.value.status, told["error"], told["error_codes"]) == (status, error, [code])
    assert told["error_description"].startswith(f"AADSTS{code}: ")
    assert entra.tokens == []


def test_a_secret_expires() -> None:
    entra = an_entra()
    entra.secret_has_expired = True

    with pytest.raises(SignInRefused, match="expired") as raised:
        give(entra)

    assert (raised.value.status, raised.value.code) == (401, 7000222)
