"""What Microsoft Entra says when it does not sign an app in, in words for people.

Source: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import re

from shared.errors import PermanentFailure
from subscriber.outbound import Busy, Refused, Reply
from subscriber.tokens import Token

_SECONDS = re.compile(r"\d{1,9}(\.\d+)?", re.ASCII)
_NUMBER = re.compile(r"AADSTS(\d{4,8})\b")

_NOT_SIGNED_IN = "Entra has not signed the app in"
_ANOTHER = (
    "make another one in Entra, Certificates & secrets, and put it where `client_secret` points"
)
_MEANINGS = {
    7000215: f"`client_secret` is wrong: use the secret's value, not its id, or {_ANOTHER}",
    7000222: f"`client_secret` has expired: {_ANOTHER}",
    7000218: f"`client_secret` is empty: {_ANOTHER}",
    700016: "the tenant has no such app: check `client_id` and `tenant`",
    7000112: "the app is switched off: an administrator can allow it to sign in again",
    90002: "there is no such tenant: check `tenant`, and `login_url` in a sovereign cloud",
    900023: "`tenant` is neither the id nor a domain of a tenant",
    53003: "a conditional access policy keeps the app out: have it let the app in from here",
    70011: "it gives no tokens for Power BI: `login_url` and `base_url` are not of one cloud",
    500011: "the tenant has no Power BI: `login_url` and `base_url` are not of one cloud",
}


def refused(refusal: Refused) -> Refused | Busy:
    """`refusal` with the way to mend it; Busy where Entra says that it is only for now. Pure."""
    if refusal.reply.text("error") == "temporarily_unavailable":
        return busy(Busy(str(refusal), status=refusal.status, reply=refusal.reply))
    number = _number(refusal)
    if number is None:
        return Refused(f"{_NOT_SIGNED_IN}: {refusal}", refusal.status, refusal.reply)
    meaning = _MEANINGS.get(number, "Microsoft's list of sign-in errors says what that is")
    said = f"{_NOT_SIGNED_IN} (AADSTS{number}): {meaning}"
    return Refused(said, refusal.status, refusal.reply)


def busy(failure: Busy) -> Busy:
    """`failure` as one of signing in: whatever became of it, nothing else was asked. Pure."""
    return Busy(
        f"{_NOT_SIGNED_IN} yet: {failure}",
        status=failure.status,
        retry_after_s=failure.retry_after_s,
        reply=failure.reply,
    )


def token(reply: Reply) -> Token:
    """The token that `reply` holds. Raises PermanentFailure if there is none. Pure."""
    value = reply.text("access_token")
    if not value:
        raise PermanentFailure(
            f"the sign-in was answered with {reply.status} and no token: "
            "is `login_url` the address of Entra?"
        )
    lasts_s = str(reply.content.get("expires_in"))
    return Token(value, float(lasts_s) if _SECONDS.fullmatch(lasts_s) else 0.0)


def _number(refusal: Refused) -> int | None:
    """The number after AADSTS."""
    content = refusal.reply.content
    told = content.get("error_codes") if isinstance(content, dict) else None
    if isinstance(told, list) and told and isinstance(told[0], int):
        return told[0]
    found = _NUMBER.search(refusal.reply.text("error_description"))
    return int(found[1]) if found else None
