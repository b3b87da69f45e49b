"""What Hex says, in words for people: of a request that it refuses, of a run that ended.

Source: https://learn.hex.tech/docs/api/api-reference
"""

from collections.abc import Collection

from subscriber.outbound import Busy, Refused
from subscriber.progress import Failed

WINDOW_S = 60.0  # to wait after a 429 that does not say how long: the shorter of Hex's windows

NOT_ACCEPTED = (
    "Hex does not accept the token (401): it is wrong or has expired; make another one in Hex and "
    "put it where `token` points"
)
NO_PROJECT = (
    "Hex has no such project that the token may see (404): check `project` and `base_url`, "
    "and share the project with the token's user"
)
NO_RUN = "Hex does not know the run that was started any more (404): see in Hex how it ended"

ENDS = {
    "ERRORED": Failed("the run of the Hex project ended with an error: Hex shows in which cell"),
    "KILLED": Failed("the run of the Hex project was stopped before it ended"),
    "UNABLE_TO_ALLOCATE_KERNEL": Failed(
        "Hex had no kernel for the run of the project: at most 25 run at once in a workspace"
    ),
}
"""The bad ends of a run, by its status."""


def refused(refusal: Refused, inputs: Collection[str], gone: str) -> Refused:
    """`refusal` with the way to mend it; `gone` is what a 404 means. Pure."""
    status = refusal.status
    said = str(refusal)
    if status == 401:
        said = NOT_ACCEPTED
    elif status == 403:
        needed = "may see" if inputs else "has Can Edit on"
        said = (
            'Hex forbids it (403): give the token the scope "Run projects", and see to it that '
            f"its user {needed} the project"
        )
    elif status == 404:
        said = gone
    elif status in (400, 422):
        said = _invalid(refusal, inputs)
    return Refused(said, status, refusal.reply)


def busy(failure: Busy, limit: str) -> Busy:
    """`failure` with what it means here, where `limit` is broken by too many requests. Pure.

    The pause that Hex asks for stays.
    """
    said, wait_s = str(failure), failure.retry_after_s
    if failure.status == 429:
        said = f"Hex takes no more for now (429): a user may {limit}"
        wait_s = wait_s if failure.reply.headers.get("Retry-After") else WINDOW_S
    elif failure.status == 503:
        said = "Hex has no kernel free (503): at most 25 run at once in a workspace"
    return Busy(said, status=failure.status, retry_after_s=wait_s, reply=failure.reply)


def _invalid(refusal: Refused, inputs: Collection[str]) -> str:
    told = refusal.reply.content if isinstance(refusal.reply.content, dict) else {}
    names = {*_texts(told.get("notFound")), *_texts(told.get("invalid"))}
    if wrong := sorted(names & set(inputs)):
        return (
            f"Hex does not take these `inputs` ({refusal.status}): {', '.join(wrong)}; "
            "compare them with the inputs of the published app, and publish it anew if needed"
        )
    if refusal.status == 400:
        also = " and the values of `inputs`" if inputs else ""
        return f"Hex does not take the request as it is (400): check `project`{also}"
    also = ", and compare `inputs` with the inputs of its app" if inputs else ""
    return f"Hex cannot run the project as it is (422): publish it{also}"


def _texts(told: object) -> set[str]:
    return {each for each in told if isinstance(each, str)} if isinstance(told, list) else set()
