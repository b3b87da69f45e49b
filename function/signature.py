"""The signature of a webhook: which of our secrets it was made with, if any.

Source: https://docs.getdbt.com/docs/deploy/webhooks#validate-a-webhook
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadSignature(Exception):
    """This webhook is not known to come from dbt Cloud. Its text says why and quotes nothing."""


@dataclass(frozen=True)
class Secret:
    """A secret that dbt Cloud may sign with; `name` is its reference, which may be logged."""

    name: str
    value: bytes = field(repr=False)


def digest_of(headers: Sequence[str]) -> str:
    """The digest that the values of the Authorization headers hold, in lower case.

    dbt Cloud sends one header: the 64 hex digits and nothing else. Raises BadSignature otherwise.
    """
    if len(headers) != 1:
        raise BadSignature("repeated signature" if headers else "no signature")
    digest = headers[0].lower()
    if not _DIGEST.fullmatch(digest):
        raise BadSignature("malformed signature")
    return digest


def verify(body: bytes, digest: str, secrets: Sequence[Secret]) -> Secret:
    """The secret with which `digest` is the hex HMAC-SHA256 of `body`; else raises BadSignature.

    `body` is the raw request body: to parse and re-encode it would change its bytes. Takes as long
    whichever secret matches, and wherever a wrong digest differs.
    """
    matching = [
        secret
        for secret in secrets
        if hmac.compare_digest(hmac.digest(secret.value, body, "sha256").hex(), digest)
    ]
    if not matching:
        raise BadSignature("wrong signature")
    return matching[0]
