"""A webhook is tested: dbt Cloud sends it a sample, and says what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import Failure
from subscriber.dbt_cloud.webhook_log import Receipt, Tested
from subscriber.dbt_cloud.webhooks import Webhooks

PAUSES_S = (0.5, 1.5, 3.0)  # before the receipt is looked for again


@dataclass(frozen=True)
class Result:
    """`receipt` is None where dbt Cloud has none, or the token may not see it."""

    tested: Tested
    receipt: Receipt | None

    @property
    def status(self) -> int | None:
        """What the URL answered; None if it did not, or if nothing says so."""
        return self.receipt.status if self.receipt else self.tested.status

    @property
    def is_known(self) -> bool:
        """Whether dbt Cloud said what came of it."""
        said = self.tested.status is not None or bool(self.tested.error)
        return self.receipt is not None or said

    @property
    def body(self) -> str:
        return self.receipt.response_body if self.receipt else ""


def tested(webhooks: Webhooks, id_: str, pause: Callable[[float], None]) -> Result:
    """Have it sent, and wait a little for its receipt."""
    said = webhooks.test(id_)
    if not said.event_id:
        return Result(said, None)
    for seconds in (*PAUSES_S, 0.0):
        try:
            receipts = webhooks.receipts(id_, said.event_id)
        except Failure:
            receipts = []
        if receipts or (not seconds):
            return Result(said, receipts[-1] if receipts else None)
        pause(seconds)
    raise AssertionError("the last turn returns")
