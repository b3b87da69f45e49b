"""Faults that are dbt Cloud's own, for `admin_faults` and `discovery_faults`.

Source: https://docs.getdbt.com/docs/dbt-apis/rate-limits
"""

from lab.faults import Fault

DOWN = Fault("answer", status=503)

COOLDOWN_S = 300
"""How long whoever asked too often is refused; `Retry-After` is not promised."""


def too_many_requests(retry_after_s: int | None = None) -> Fault:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Fault("answer", status=429, headers=headers)
