"""What dbt Cloud is told of why a job runs, how a later run is recognised by it, and why a run is
not retried. Pure.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (Trigger Job Run)
"""

import re
from dataclasses import dataclass
from hashlib import sha256

from subscriber.cutting import cut, one_line
from subscriber.diagnosis import clean

CAUSE_LIMIT = 255  # characters

_PLAIN = re.compile(r"[\w./:-]{1,120}", re.ASCII)
_MARK = re.compile(r"\[afterrun ([0-9]{1,3}) ([\w./:-]{1,120})\]\s*\Z", re.ASCII)


@dataclass(frozen=True)
class Mark:
    """What the cause of a run ends in that was started here.

    `step` counts such runs in a row, each started because of the one before; `key` names the
    action that started it.
    """

    step: int
    key: str

    def __str__(self) -> str:
        return f"[afterrun {self.step} {self.key}]"


def key_of(action_key: str) -> str:
    """`action_key` as a mark holds it: as it is, or, if that is too long or odd, a hash of it."""
    if _PLAIN.fullmatch(action_key):
        return action_key
    return f"sha256:{sha256(action_key.encode(errors='surrogatepass')).hexdigest()}"


def cause(headline: str, mark: Mark) -> str:
    """Why a job runs, for people, with `mark` at its end; at most CAUSE_LIMIT characters."""
    room = CAUSE_LIMIT - len(str(mark)) - 1
    return f"{cut(one_line(clean(headline)), room) or 'Afterrun'} {mark}"


def mark_of(cause: str) -> Mark | None:
    """The mark at the end of a run's cause; None for a run that was not started here."""
    found = _MARK.search(cause)
    return Mark(int(found[1]), found[2]) if found else None


_NO_RETRY = {
    "RETRY_NOT_FAILED_RUN": "it did not end with an error",
    "RETRY_NOT_LATEST_RUN": "its job has a newer run, and only the newest can be retried",
    "RETRY_NO_RUN_RESULTS": "it failed before dbt wrote results, so there is no point to resume "
    "from; start its job anew",
    "RETRY_UNSUPPORTED_CMD": "`dbt retry` does not know the command that failed",
    "RETRY_UNSUPPORTED_VERSION": "its environment has a dbt older than 1.6",
}


def why_no_retry(reason: str) -> str:
    """dbt Cloud's `retry_not_supported_reason` in words."""
    return _NO_RETRY.get(reason, "dbt Cloud does not say why")
