"""What Slack's refusals mean, and what mends them: its words, in sentences for people. Pure.

The Web API says no with HTTP 200 and a word in JSON, a webhook with a status and a word as text.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage#errors,
https://docs.slack.dev/reference/methods/chat.update#errors and
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

import re
from collections.abc import Mapping

from shared.errors import Failure, PermanentFailure
from subscriber.outbound import Busy, Refused, Reply, UnknownOutcome

CREDENTIAL_STATUS = 401  # what a refused credential is, whatever the answer's own status was

_WORD = re.compile(r"[a-z]+(?:_[a-z]+){0,8}")
_WORD_LIMIT = 60
_SCOPES = re.compile(r"[a-z][a-z:._,-]{1,99}")

LATER = frozenset(
    {
        "fatal_error",
        "internal_error",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "rollup_error",
        "service_unavailable",
        "team_added_to_org",
    }
)
FORM = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
    }
)
"""About how it was said: plain text may be taken."""
GONE = frozenset({"message_not_found"})
"""There is no such message any more."""
FIXED = frozenset({"cant_update_message", "edit_window_closed"})
"""The message is there, and stays as it is."""
NO_THREAD = frozenset(
    {
        "cannot_reply_to_message",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
"""Nothing can be said in reply to it."""

_COPY = "copy the Bot User OAuth Token (xoxb-…) from the app's page OAuth & Permissions"
_ANEW = "install the app again and keep its new token where `bot_token` points to"
_HOOK = "add a new webhook to the app and keep its URL where `webhook_url` points to"
_ARCHIVED = "the channel is archived: unarchive it, or choose another"
_OURS = "it does not take what Afterrun said, which is a fault of Afterrun: please report it"
_ADMIN = "a setting of the workspace keeps the app from posting there: ask an admin of it"
_KIND = "the token is of a kind that may not post: use the app's bot token (xoxb-…)"

_CREDENTIALS: Mapping[str, str] = {
    "account_inactive": f"the app or its workspace is deactivated: {_ANEW}",
    "invalid_auth": f"the token in `bot_token` is not valid: {_COPY}",
    "invalid_token": f"the webhook's URL is not valid: copy the whole of it, or {_HOOK}",
    "no_service": f"the webhook was removed or disabled: {_HOOK}",
    "no_team": f"the webhook's workspace is not there any more: {_HOOK}",
    "not_allowed_token_type": _KIND,
    "not_authed": f"no token arrived: {_COPY}",
    "token_expired": (
        "the token has expired: install an app without token rotation and keep its token "
        "where `bot_token` points to"
    ),
    "token_revoked": f"the token was revoked: {_ANEW}",
}
_OF_WEBHOOKS: Mapping[str, str] = {
    "channel_not_found": f"the webhook's channel is not there any more: {_HOOK}",
}
_FIXES: Mapping[str, str] = {
    **_CREDENTIALS,
    "access_denied": _ADMIN,
    "accesslimited": _ADMIN,
    "action_prohibited": _ADMIN,
    "cant_update_message": "the message is not the app's own: nothing can change it",
    "channel_is_archived": _ARCHIVED,
    "channel_not_found": (
        "it knows no such channel: check `channel`, which is best the channel's id, and invite the "
        "bot if the channel is private"
    ),
    "edit_window_closed": "messages can no longer be edited after so long in this workspace",
    "ekm_access_denied": _ADMIN,
    "enterprise_is_restricted": _ADMIN,
    "invalid_arg_name": _OURS,
    "invalid_arguments": _OURS,
    "invalid_array_arg": _OURS,
    "invalid_blocks": _OURS,
    "invalid_blocks_format": _OURS,
    "invalid_charset": _OURS,
    "invalid_json": _OURS,
    "invalid_payload": _OURS,
    "invalid_post_type": _OURS,
    "is_archived": _ARCHIVED,
    "is_inactive": _ARCHIVED,
    "json_not_object": _OURS,
    "message_not_found": "the message is not there any more",
    "msg_blocks_too_long": _OURS,
    "msg_too_long": _OURS,
    "no_permission": f"the token may not post there: {_KIND}",
    "no_text": _OURS,
    "not_in_channel": (
        "the bot is not in the channel: invite it there (/invite @its-name), or add the scope "
        "chat:write.public and install the app again"
    ),
    "posting_to_general_channel_denied": _ADMIN,
    "restricted_action": _ADMIN,
    "restricted_action_non_threadable_channel": _ADMIN,
    "restricted_action_read_only_channel": _ADMIN,
    "restricted_action_thread_locked": "the thread is locked",
    "restricted_action_thread_only_channel": _ADMIN,
    "team_access_not_granted": _ADMIN,
    "thread_not_found": "the thread is not there any more",
    "too_many_attachments": _OURS,
    "user_not_found": f"the webhook is for a person who is not there any more: {_HOOK}",
}


_ADDRESS = "check the webhook's URL and `base_url`"


def word(reply: Reply) -> str:
    """Slack's word for what is wrong; empty where the answer holds none, or anything else."""
    said = reply.text("error") or reply.body.strip()
    return said if len(said) <= _WORD_LIMIT and _WORD.fullmatch(said) else ""


def is_yes(reply: Reply) -> bool:
    """Whether Slack has taken it; an HTTP 200 alone does not say so."""
    content = reply.content
    return reply.body.strip() == "ok" or (isinstance(content, dict) and content.get("ok") is True)


def translated(failure: Refused | Busy) -> Failure:
    """`failure` as a sentence that says what is wrong and what mends it, where that is known."""
    said = word(failure.reply)
    if not said and isinstance(failure, Refused):
        return Refused(f"{failure}, which is not Slack: {_ADDRESS}", failure.status, failure.reply)
    if not said:
        return failure
    if isinstance(failure, Busy):
        kind = UnknownOutcome if isinstance(failure, UnknownOutcome) else Busy
        return kind(
            f"{failure}: {said}",
            status=failure.status,
            retry_after_s=failure.retry_after_s,
            reply=failure.reply,
        )
    return refusal(failure.reply)


def refusal(reply: Reply, retry_after_s: float | None = None) -> Failure:
    """What to raise because of an answer that is no yes."""
    said = word(reply)
    if not said:
        return PermanentFailure(f"what answered {reply.status} is not Slack: {_ADDRESS}")
    if said in LATER:
        message = f"Slack does not take it now ({said})"
        return Busy(message, status=reply.status, retry_after_s=retry_after_s, reply=reply)
    status = CREDENTIAL_STATUS if said in _CREDENTIALS else reply.status
    return Refused(f"Slack refused it ({said}): {_fix(said, reply)}", status, reply)


def _fix(said: str, reply: Reply) -> str:
    if said == "missing_scope":
        needed = reply.text("needed")
        scope = needed if _SCOPES.fullmatch(needed) else "chat:write"
        return (
            f"the app lacks the scope {scope}: add it under OAuth & Permissions, and install the "
            "app again"
        )
    if reply.content is None and said in _OF_WEBHOOKS:
        return _OF_WEBHOOKS[said]
    known = "see https://docs.slack.dev/reference/methods/chat.postMessage for what that means"
    return _FIXES.get(said, known)
