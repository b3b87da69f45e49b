"""dbt Cloud's webhook subscriptions: to list, make, change, test and delete them.

For people who connect an account; the service itself only hears what they send.

Source: https://docs.getdbt.com/docs/deploy/webhooks and https://docs.getdbt.com/dbt-cloud/api-v3
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from shared.errors import Mistake, TemporaryFailure
from subscriber.dbt_cloud import lenient, webhook_log
from subscriber.dbt_cloud.account import NOT_TAKEN, reaching
from subscriber.dbt_cloud.admin import Admin
from subscriber.dbt_cloud.fields import object_of
from subscriber.dbt_cloud.webhook_log import Receipt, SentEvent, Tested
from subscriber.diagnosis import clean
from subscriber.outbound import Outbound, Refused, Reply

EVENT_TYPES = ("job.run.started", "job.run.completed", "job.run.errored")
PAGE = 100
PAGES_LIMIT = 50
ANSWER_LIMIT_BYTES = 16_000_000  # events come with their bodies
TEST_S = 20.0  # dbt Cloud waits 10 s for the endpoint before it answers us
MANAGERS = "Account Admin, Admin or Developer"  # the permissions that manage webhooks

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True)
class Subscription:
    """A webhook as dbt Cloud has it. Without `job_ids` it is about all jobs.

    `http_status_code` is what its last delivery was answered, None if nothing was sent yet.
    `deactivate_reason` is dbt Cloud's, where it says one.
    """

    id: str
    name: str
    client_url: str
    event_types: tuple[str, ...]
    job_ids: tuple[str, ...] = ()
    active: bool = True
    description: str = ""
    http_status_code: int | None = None
    dispatched_at: datetime | None = None
    deactivate_reason: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Created:
    """A new webhook, and its secret: dbt Cloud says it once, here."""

    subscription: Subscription
    secret: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Webhooks:
    """The webhooks of one account. Calls raise Refused or Busy; their messages say what to do.

    All are safe to repeat but `create`, and `test`, which sends something each time.
    """

    admin: Admin
    account_id: str

    def listed(self) -> list[Subscription]:
        """All of them."""
        return [_subscription(row) for row in self._rows("subscriptions")]

    def get(self, subscription_id: str) -> Subscription:
        return _subscription(self._data(self._get(_path(subscription_id))))

    def create(self, wanted: Subscription) -> Created:
        """Make a webhook like `wanted`, whose id does not count.

        Raises UnknownOutcome where it may have been made unanswered: its secret is lost then.
        """
        with in_words(self.admin.base_url):
            reply = self._outbound.post_json(
                self._url("subscriptions"),
                _written(wanted),
                headers=self.admin.headers(),
                repeatable=False,
            )
        data = self._data(reply)
        return Created(_subscription(data), SecretStr(lenient.text(data, "hmac_secret")))

    def update(
        self, subscription_id: str, change: Callable[[Subscription], Subscription]
    ) -> Subscription:
        """Read a webhook, change it and write it back whole, as dbt Cloud wants it."""
        wanted = change(self.get(subscription_id))
        with in_words(self.admin.base_url):
            reply = self._outbound.put_json(
                self._url(_path(subscription_id)), _written(wanted), headers=self.admin.headers()
            )
        return _subscription(self._data(reply))

    def delete(self, subscription_id: str) -> None:
        with in_words(self.admin.base_url):
            reply = self._outbound.delete(
                self._url(_path(subscription_id)), headers=self.admin.headers()
            )
        # a page to log in on is a 200 as well, and nothing is deleted
        if reply.body.strip():
            _content(reply)

    def test(self, subscription_id: str) -> Tested:
        """Have dbt Cloud send a sample, of a run that does not exist, to the webhook's URL."""
        patient = replace(self._outbound, read_timeout_s=TEST_S, whole_answer_s=TEST_S)
        return webhook_log.tested(self._data(self._get(f"{_path(subscription_id)}/test", patient)))

    def events(self, subscription_id: str) -> list[SentEvent]:
        """What was sent lately, the newest first."""
        found = [webhook_log.event(row) for row in self._rows(f"{_path(subscription_id)}/events")]
        return sorted(found, key=lambda event: event.at or lenient.EPOCH, reverse=True)

    def receipts(self, subscription_id: str, event_id: str) -> list[Receipt]:
        """Each attempt to deliver an event, the first one first."""
        path = f"{_path(subscription_id)}/event/{_checked(event_id)}/receipt"
        rows = _content(self._get(path)).get("data")
        # one has been seen without the list around it
        listed = rows if isinstance(rows, list) else [rows]
        found = [webhook_log.receipt(row) for row in listed if isinstance(row, dict)]
        return sorted(found, key=lambda receipt: receipt.at or lenient.EPOCH)

    @property
    def _outbound(self) -> Outbound:
        return self.admin.outbound

    def _rows(self, what: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, once, whether or not its pages are as long as asked for."""
        seen: set[str] = set()
        for _ in range(PAGES_LIMIT):
            answer = _content(
                self._get(what, params={"limit": str(PAGE), "offset": str(len(seen))})
            )
            listed = answer["data"] or []
            if not isinstance(listed, list):
                raise TemporaryFailure(_NOT_THE_API)
            rows = [row for row in listed if isinstance(row, dict)]
            new = {id_: row for row in rows if (id_ := lenient.text(row, "id")) not in seen}
            yield from new.values()
            seen |= new.keys()
            pagination = object_of(object_of(answer.get("extra")).get("pagination"))
            total = pagination.get("total_count")
            if not new or (isinstance(total, int) and len(seen) >= total):
                return

    def _get(
        self,
        path: str,
        outbound: Outbound | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Reply:
        with in_words(self.admin.base_url):
            return (outbound or self._outbound).get_json(
                self._url(path),
                headers=self.admin.headers(),
                params=params,
                answer_limit_bytes=ANSWER_LIMIT_BYTES,
            )

    def _data(self, reply: Reply) -> dict[str, Any]:
        data = _content(reply)["data"]
        if not isinstance(data, dict):
            raise TemporaryFailure(_NOT_THE_API)
        return data

    def _url(self, path: str) -> str:
        account = _checked(self.account_id)
        return f"{self.admin.base_url}/api/v3/accounts/{account}/webhooks/{path}"


@contextmanager
def in_words(base_url: str) -> Iterator[None]:
    """What dbt Cloud refuses within says what it may mean, and what to do."""
    host = urlsplit(base_url).hostname or "?"
    try:
        with reaching():
            yield
    except Refused as refused:
        said = _REFUSALS.get(refused.status)
        if said is None:
            why = clean(refused.reply.text("status", "user_message"))[:300]
            said = f"answered {refused.status}" + (f": {why}" if why else "")
        raise Refused(f"{host} {said}", refused.status, refused.reply) from None


_NOT_THE_API = "what answered is not dbt Cloud's webhooks API: is its URL right?"

_REFUSALS = {
    401: NOT_TAKEN,
    403: f"answered 403: managing webhooks takes a token with the permission {MANAGERS}",
    404: "answered 404: there is no such thing in this account, or this token may not see it; "
    f"managing webhooks takes a token with the permission {MANAGERS}",
}


def _subscription(fields: Mapping[str, Any]) -> Subscription:
    id_ = lenient.text(fields, "id")
    return Subscription(
        # it stands in commands that people paste
        id=id_ if _ID.fullmatch(id_) else "",
        name=lenient.text(fields, "name"),
        client_url=lenient.text(fields, "client_url"),
        event_types=lenient.texts(fields, "event_types"),
        job_ids=lenient.texts(fields, "job_ids"),
        active=lenient.is_on(fields, "active"),
        description=lenient.text(fields, "description"),
        http_status_code=lenient.status(fields, "http_status_code"),
        dispatched_at=lenient.time(fields, "dispatched_at"),
        deactivate_reason=lenient.text(fields, "deactivate_reason"),
        created_at=lenient.time(fields, "created_at"),
        updated_at=lenient.time(fields, "updated_at"),
    )


def _written(wanted: Subscription) -> dict[str, Any]:
    """What creates or replaces a webhook; what is left out would be taken for something else."""
    body: dict[str, Any] = {
        "name": wanted.name,
        "client_url": wanted.client_url,
        "active": wanted.active,
        "event_types": list(wanted.event_types),
        "job_ids": [int(id_) if id_.isdigit() else id_ for id_ in wanted.job_ids],
    }
    # an empty one is refused
    return body | ({"description": wanted.description} if wanted.description else {})


def _content(reply: Reply) -> dict[str, Any]:
    if not isinstance(reply.content, dict) or "data" not in reply.content:
        raise TemporaryFailure(_NOT_THE_API)
    return reply.content


def _path(subscription_id: str) -> str:
    return f"subscription/{_checked(subscription_id)}"


def _checked(id_: str) -> str:
    """`id_`, which becomes part of a path."""
    if not _ID.fullmatch(id_):
        raise Mistake("this is no id; write one as dbt Cloud shows it, such as wsu_12345abcde")
    return id_
