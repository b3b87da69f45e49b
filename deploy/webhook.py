"""dbt Cloud's webhook: with it, events begin to come."""

from collections.abc import Iterator
from typing import Any

from deploy.names import RECEIVER, WEBHOOK_SECRET, Deployment
from deploy.step import FOUND, Look, Step


def webhook(it: Deployment) -> Iterator[Step]:
    """Last of all. dbt Cloud shows the secret once, and the command puts it where it belongs."""
    of = (f"--config={it.config_file}",)
    url = it.url(RECEIVER)

    def active(listed: Any) -> Any:
        found = listed.get("webhooks", ()) if isinstance(listed, dict) else listed
        for each in found or ():
            address = str(each.get("client_url") or each.get("url") or "")
            if address.rstrip("/") == url and each.get("active", True):
                return {**each, "name": each.get("id")}
        return None

    yield Step(
        f"webhook of dbt Cloud to {url}",
        "webhook",
        (
            (
                *("afterrun", "webhooks", "create", f"--url={url}"),
                *(f"--secret=secret:{WEBHOOK_SECRET}", f"--project={it.project}", *of),
            ),
        ),
        Look(("afterrun", "webhooks", "list", "--json", f"--project={it.project}", *of), active),
        undo=(
            (
                *("afterrun", "webhooks", "delete", f"${{{FOUND}}}", "--yes"),
                *(f"--project={it.project}", *of),
            ),
        ),
        needs_values=True,
    )
