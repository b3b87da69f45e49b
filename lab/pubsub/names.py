"""Names of topics and subscriptions.

Source: https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
"""

import re
from typing import Literal

from lab.pubsub.refusals import invalid

DELETED_TOPIC = "_deleted-topic_"
"""What a subscription has for a topic once that was deleted."""

_PROJECT = re.compile(r"projects/[A-Za-z0-9:._-]{1,100}")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


def check(kind: Literal["topics", "subscriptions"], name: str) -> None:
    """Raise Refused unless `name` is projects/P/`kind`/ID.

    An id has 3 to 255 characters of those allowed and begins with a letter, but not with "goog".
    """
    project, _, identifier = name.partition(f"/{kind}/")
    if not (_PROJECT.fullmatch(project) and _ID.fullmatch(identifier)):
        raise invalid(f"Invalid resource name given (name={name}).")
    if identifier.startswith("goog"):
        raise invalid(f'Invalid resource name given (name={name}): it begins with "goog".')


def project(name: str) -> str:
    """The project's id in the full name of a topic or subscription."""
    return name.split("/")[1]


def short(name: str) -> str:
    """The id at the end of a full name."""
    return name.rpartition("/")[2]
