"""A webhook is made and its secret put away, or neither."""

from cli.webhooks.places import Place
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber.dbt_cloud.webhooks import Subscription, Webhooks
from subscriber.outbound import UnknownOutcome


def created(
    webhooks: Webhooks, wanted: Subscription, place: Place, known: list[Subscription]
) -> Subscription:
    """The new webhook, its secret at `place`. `known` are those that there were before.

    Raises Failure or Mistake; then there is no new webhook, or the message says so.
    """
    with place.prepared() as store:
        try:
            made = webhooks.create(wanted)
        except (UnknownOutcome, KeyboardInterrupt) as lost:
            _take_back_unseen(webhooks, wanted, known, lost)
            raise
        try:
            if not made.secret.get_secret_value():
                raise PermanentFailure("dbt Cloud did not say the secret of the new webhook")
            store(made.secret.get_secret_value())
        except BaseException as failure:
            _take_back(webhooks, made.subscription.id, failure)
            raise
    return made.subscription


def _take_back(webhooks: Webhooks, id_: str, failure: BaseException) -> None:
    """Delete a webhook whose secret could not be kept; raises what to say of `failure` then."""
    try:
        webhooks.delete(id_)
        said = "the new webhook was deleted again"
    except Failure:
        said = f"the new webhook could not be deleted again: afterrun webhooks delete {id_}"
    if isinstance(failure, Failure):
        kind = TemporaryFailure if isinstance(failure, TemporaryFailure) else PermanentFailure
        raise kind(f"the secret could not be kept: {failure}; {said}") from None


def _take_back_unseen(
    webhooks: Webhooks, wanted: Subscription, known: list[Subscription], lost: BaseException
) -> None:
    """Delete what may have been made, though the answer with its secret never came."""
    ids = {webhook.id for webhook in known}
    try:
        new = [
            webhook.id
            for webhook in webhooks.listed()
            if webhook.id not in ids
            and (webhook.name, webhook.client_url) == (wanted.name, wanted.client_url)
        ]
        for id_ in new:
            webhooks.delete(id_)
    except Failure as failure:
        raise TemporaryFailure(
            f"{lost or 'interrupted'}: a webhook {wanted.name!r} may have been made, and its "
            f"secret is lost; look with `afterrun webhooks list` and delete it ({failure})"
        ) from None
    if isinstance(lost, Failure):
        what = "the webhook that was made was deleted again" if new else "no webhook was made"
        raise TemporaryFailure(f"{lost}; {what}; try again") from None
