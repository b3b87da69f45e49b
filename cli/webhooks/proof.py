"""Whether a secret that is kept somewhere signs what live webhooks send: dbt Cloud's receipts show.

A secret that one of them signs with must stay where it is, or the receiver refuses its events.
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.webhooks.places import Place
from cli.webhooks.signing import sign
from shared.errors import Failure, Mistake
from subscriber.dbt_cloud.webhook_log import Receipt
from subscriber.dbt_cloud.webhooks import Subscription, Webhooks

EVENTS_LIMIT = 3  # looked at, of one webhook


@dataclass(frozen=True)
class Use:
    """`signers` sign with the secret; of `unknown` nothing signed was sent that can be seen."""

    signers: tuple[str, ...]
    unknown: tuple[str, ...]


def signs(secret: str, receipt: Receipt) -> bool | None:
    """Whether the request of `receipt` was signed with `secret`; None if it was not signed."""
    if not receipt.signature:
        return None
    digest = sign(receipt.request_body.encode(), secret)
    # compared as bytes: a header may hold what is not ASCII
    return hmac.compare_digest(digest.encode(), receipt.signature.lower().encode())


def use(secret: str, webhooks: Webhooks, live: Sequence[Subscription]) -> Use:
    """Which of `live` sign with `secret`."""
    answers = {webhook.id: _signs(secret, webhooks, webhook) for webhook in live}
    return Use(
        tuple(id_ for id_, answer in answers.items() if answer),
        tuple(id_ for id_, answer in answers.items() if answer is None),
    )


def check_free(
    place: Place, webhooks: Webhooks, listed: Sequence[Subscription], *, force: bool
) -> None:
    """Raise Mistake if a secret at `place` may be needed; `force` goes before what is not known."""
    if not place.holds():
        return
    if place.ref.scheme == "file" and not force:
        raise Mistake(
            f"{place.ref} holds a secret already: name another file, or overwrite it with --force"
        )
    live = [webhook for webhook in listed if webhook.active]
    try:
        found = use(place.value(), webhooks, live)
    except Failure:
        found = Use((), tuple(webhook.id for webhook in live))
    if found.signers:
        raise Mistake(
            f"{place.ref} holds the secret that {', '.join(found.signers)} signs with: if it were "
            "replaced, the receiver would refuse those events; name another secret or file"
        )
    if found.unknown and not force:
        raise Mistake(
            f"{place.ref} holds a secret already, and nothing shows whether "
            f"{', '.join(found.unknown)} signs with it; if not, say --force, else name another one"
        )


def _signs(secret: str, webhooks: Webhooks, webhook: Subscription) -> bool | None:
    return next(
        (
            answer
            for receipt in _lately(webhooks, webhook)
            if (answer := signs(secret, receipt)) is not None
        ),
        None,
    )


def _lately(webhooks: Webhooks, webhook: Subscription) -> Iterator[Receipt]:
    try:
        for event in webhooks.events(webhook.id)[:EVENTS_LIMIT]:
            yield from webhooks.receipts(webhook.id, event.id)
    except Failure:
        # what cannot be seen shows nothing
        return
