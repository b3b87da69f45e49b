"""What Entra says when it does not sign an app in."""

from typing import Any

import pytest

from shared.errors import PermanentFailure
from subscriber.outbound import Busy, Refused, Reply
from subscriber.saying import entra


def a_refusal(content: object, status: int = 401) -> Refused:
    return Refused(f"login.example answered {status}", status, Reply(status, content))


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (7000215, r"wrong: use the secret's value, not its id"),
        (7000222, r"expired: make another one in Entra"),
        (7000218, "is empty"),
        (700016, "check `client_id` and `tenant`"),
        (7000112, "switched off"),
        (90002, "check `tenant`, and `login_url`"),
        (900023, "`tenant` is neither"),
        (53003, "conditional access"),
        (70011, "not of one cloud"),
        (500011, "not of one cloud"),
        (999999, "Microsoft's list"),
    ],
)
@pytest.mark.parametrize("in_text", [False, True])
def test_each_number_has_its_fix(number: int, fix: str, in_text: Any) -> None:
    text = f"AADSTS{number}: Trace ID: 7b1d. The secret s3cret is not right."
    content = {"error_description": text} if in_text else {"error_codes": [number]}

    said = entra.refused(a_refusal(content))

    assert isinstance(said, Refused)
    assert said.status == 401
    assert str(said).startswith(f"Entra has not signed the app in (AADSTS{number}): ")
    assert fix in str(said)
    assert "s3cret" not in str(said)


@pytest.mark.parametrize(
    "content",
    [None, [], {}, {"error_codes": []}, {"error_codes": ["7"]}, {"error_description": 7}],
)
def test_without_a_number_its_status_is_told(content: object) -> None:
    said = entra.refused(a_refusal(content, 400))

    assert str(said) == "Entra has not signed the app in: login.example answered 400"


def test_a_refusal_for_now_is_no_refusal_for_good() -> None:
    said = entra.refused(a_refusal({"error": "temporarily_unavailable"}, 400))

    assert isinstance(said, Busy)


@pytest.mark.parametrize(
    ("told", "lasts_s"),
    [(3599, 3599), ("3599", 3599), (3599.0, 3599), (None, 0), ("soon", 0), (-5, 0), (True, 0)],
)
def test_a_token_lasts_as_long_as_it_says_and_else_for_one_request(
    told: Any, lasts_s: float
) -> None:
    token = entra.token(Reply(200, {"access_token": "eyJ0", "expires_in": told}))

    assert (token.value, token.lasts_s) == ("eyJ0", lasts_s)


@pytest.mark.parametrize("content", [None, [], "x", {}, {"access_token": None}])
def test_a_yes_without_a_token_is_a_failure(content: object) -> None:
    with pytest.raises(PermanentFailure, match="is `login_url` the address of Entra"):
        entra.token(Reply(200, content))
