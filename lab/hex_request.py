"""What Hex can be asked when a project is to be run, and how it says no.

Source: https://learn.hex.tech/docs/api/api-reference
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic.alias_generators import to_camel


class Refusal(Exception):
    """`body` is what Hex answers, but for its `traceId`."""

    def __init__(self, status: int, reason: str, **more: Any) -> None:
        super().__init__(reason)
        self.status = status
        self.body: Mapping[str, Any] = {"reason": reason, **more}


class InputsRefused(Refusal):
    """Inputs that the published app does not have."""

    def __init__(self, not_found: list[str]) -> None:
        super().__init__(422, "")
        self.body = {"invalid": [], "notFound": not_found}


class _Strict(BaseModel, frozen=True, strict=True, extra="forbid", alias_generator=to_camel):
    pass


class Notification(_Strict):
    type: Literal["ALL", "SUCCESS", "FAILURE"]
    slack_channel_ids: list[str] = Field(default_factory=list)
    user_ids: list[str] = Field(default_factory=list)
    group_ids: list[str] = Field(default_factory=list)
    include_success_screenshot: bool = False


class Asked(_Strict):
    """The body; all of it may be left out, and it has no other keys than these."""

    input_params: dict[str, Any] | None = None
    update_published_results: bool = False
    use_cached_sql_results: bool = True
    view_id: str | None = None
    notifications: list[Notification] = Field(default_factory=list)
    dry_run: bool = False
    update_cache: bool = False


def read(content_type: str, body: bytes) -> Asked:
    """Raise Refusal unless `body` is one that Hex takes; an empty one asks for the defaults."""
    if not body:
        return Asked()
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(400, "The body is not said to be JSON")
    try:
        asked = Asked.model_validate(json.loads(body))
    except ValidationError as error:
        details = [f"{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise Refusal(400, "The body is not as described", details="; ".join(details)) from None
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON") from None
    if asked.input_params is not None and asked.update_published_results:
        raise Refusal(422, "updatePublishedResults cannot be used with inputParams")
    if asked.input_params is not None and asked.view_id is not None:
        raise Refusal(422, "viewId cannot be used with inputParams")
    return asked
