"""dbt Cloud's webhook: with it, events begin to come."""

from collections.abc import Iterator
from typing import Any

from deploy.names import RECEIVER, WEBHOOK_SECRET, Deployment
from deploy.step import FOUND, Look, Step


def webhook(it: Deployment) -> Iterator[Step]:
    """Last of all. dbt Cloud shows the secret once, and the command puts it where it belongs."""
    url = it.url(RECEIVER)
    token = (f"--token={it.dbt_token}",) if it.dbt_token else ()
    of = (f"--project={it.project}", f"--config={it.config_file}", *token)

    def active(listed: Any) -> Any:
        return next(
            (
                {**each, "name": each["id"]}
                for each in listed or ()
                if each["active"] and each["url"].rstrip("/") == url
            ),
            None,
        )

    secret = f"--secret=secret:{WEBHOOK_SECRET}"
    yield Step(
        f"dbt Cloud's webhook to {RECEIVER}",
        "webhook",
        (("afterrun", "webhooks", "create", f"--url={url}", secret, *of),),
        Look(("afterrun", "webhooks", "list", "--json", *of), active),
        undo=(("afterrun", "webhooks", "delete", f"${{{FOUND}}}", "--yes", *of),),
        offer="Make dbt Cloud's webhook now, so that events come?",
    )
