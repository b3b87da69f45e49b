"""What runs in the cloud, as Google tells of it: whether it is as a deployment has it. Pure.

Source: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from shlex import quote
from typing import Any, Protocol
from urllib.parse import urlsplit

from cli import output
from cli.deployed import RECEIVER, SUBSCRIBER, TICK_JOB, member
from cli.doctor.finding import About, Finding
from subscriber.dbt_cloud.account import time_of
from subscriber.outbound import Reply

ANYBODY = "allUsers"
INVOKER = "roles/run.invoker"
LATE = timedelta(minutes=5)

Told = Mapping[str, Any]
Policy = Mapping[str, frozenset[str]] | None
"""Who has which role; None where that is not shown."""


class Judge(Protocol):
    def __call__(
        self, about: About, told: Told, policy: Policy, *, where: str
    ) -> Iterator[Finding]: ...


def health(about: About, url: str, reply: Reply) -> Finding:
    """What the receiver says of itself."""
    host = urlsplit(url).hostname
    status = reply.text("status")
    if reply.status == 200 and status == "ready":
        return about.ok(f"{host} is ready: it has its secrets, and can publish")
    log = f"gcloud run services logs read {RECEIVER} --region=REGION"
    if status == "not ready" and isinstance(reply.content, dict):
        lacking = reply.content.get("lacking")
        what = ", ".join(map(str, lacking)) if isinstance(lacking, list) else "something"
        return about.fails(f"{host} is not ready; it lacks: {what}", f"{log}, which says why")
    if reply.status == 403:
        mend = (
            f"gcloud run services add-iam-policy-binding {RECEIVER} --region=REGION "
            f"--member={ANYBODY} --role={INVOKER}"
        )
        return about.fails(f"{host} answers 403: dbt Cloud may not call it", mend)
    said = f"what answers {reply.status} at {host}/health is no receiver of Afterrun"
    return about.fails(said, "afterrun doctor --receiver URL, with the receiver's URL")


def receiver(
    about: About, told: Told, policy: Policy, *, where: str, account: str
) -> Iterator[Finding]:
    """Whether dbt Cloud may call it."""
    wrong = [*_of_any(about, RECEIVER, told, where, account)]
    is_public = told.get("invokerIamDisabled") is True
    if policy is not None and not is_public and ANYBODY not in policy.get(INVOKER, ()):
        wrong.append(about.fails("dbt Cloud may not call it", _invite(RECEIVER, where, ANYBODY)))
    if told.get("ingress") not in (None, "INGRESS_TRAFFIC_ALL"):
        mend = f"gcloud run services update {RECEIVER} {where} --ingress=all"
        wrong.append(about.fails("it takes no traffic from outside of Google Cloud", mend))
    hidden = "; who may call it is not shown to you" if policy is None else ""
    yield from wrong or [about.ok(f"runs at {_url(told)}{hidden}")]


def subscriber(
    about: About, told: Told, policy: Policy, *, where: str, account: str, push: str, ledger: str
) -> Iterator[Finding]:
    """Whether Pub/Sub may call it and nobody else, and its ledger is the one looked at here."""
    wrong = [*_of_any(about, SUBSCRIBER, told, where, account)]
    may_call = frozenset() if policy is None else policy.get(INVOKER, frozenset())
    if told.get("invokerIamDisabled") is True or ANYBODY in may_call:
        mend = (
            f"gcloud run services remove-iam-policy-binding {SUBSCRIBER} {where} "
            f"--member={ANYBODY} --role={INVOKER}"
        )
        wrong.append(about.fails("anybody may call it, and so tell it of runs", mend))
    elif policy is not None and member(push) not in may_call:
        said = f"{push.partition('@')[0]} may not call it: no event reaches it"
        wrong.append(about.fails(said, _invite(SUBSCRIBER, where, member(push))))
    its_ledger = _environment(told).get("LEDGER", "")
    if its_ledger and ledger and its_ledger != ledger:
        said = f"its ledger is {its_ledger}, and the one looked at here is {ledger}"
        wrong.append(about.warns(said, f"afterrun doctor --ledger {quote(its_ledger)}"))
    hidden = "; who may call it is not shown to you" if policy is None else ""
    yield from wrong or [about.ok(f"runs at {_url(told)}{hidden}")]


def tick(about: About, told: Told, topic: str, where: str, now: datetime) -> Finding:
    """Whether the scheduler's job ticks each minute."""
    if told.get("state") != "ENABLED":
        said = f"it is {str(told.get('state', 'off')).lower()}: nothing ticks"
        return about.fails(said, f"gcloud scheduler jobs resume {TICK_JOB} {where}")
    target = told.get("pubsubTarget")
    target = target if isinstance(target, dict) else {}
    update = f"gcloud scheduler jobs update pubsub {TICK_JOB} {where}"
    if target.get("topicName") != topic:
        return about.fails(f"it does not publish to {topic}", f"{update} --topic={topic}")
    if (target.get("attributes") or {}).get("content") != "tick":
        return about.fails(
            "what it publishes is no tick", f"{update} --update-attributes=content=tick"
        )
    schedule = str(told.get("schedule", ""))
    if schedule.split() != ["*"] * 5:
        said = f"it ticks at {schedule}, not each minute"
        return about.warns(said, f"{update} --schedule='* * * * *'")
    last = time_of(told, "lastAttemptTime")
    failed = (
        (told.get("status") or {}).get("code") if isinstance(told.get("status"), dict) else None
    )
    if failed:
        said = f"its last try failed (code {failed})"
        return about.fails(said, f"gcloud scheduler jobs describe {TICK_JOB} {where}")
    if last is not None and now - last > LATE:
        said = f"it ticked {output.ago(last, now)} for the last time"
        return about.fails(
            said, f"gcloud scheduler jobs run {TICK_JOB} {where}, and look at its log"
        )
    return about.ok(
        "ticks each minute" + (f", {output.ago(last, now)} the last time" if last else "")
    )


def _of_any(about: About, name: str, told: Told, where: str, account: str) -> Iterator[Finding]:
    ready = told.get("terminalCondition")
    if isinstance(ready, dict) and ready.get("state") not in (None, "CONDITION_SUCCEEDED"):
        said = f"its newest revision is not ready: {ready.get('message') or ready.get('state')}"
        yield about.fails(said, f"gcloud run services describe {name} {where}")
    template = told.get("template")
    runs_as = template.get("serviceAccount") if isinstance(template, dict) else None
    if runs_as != account:
        said = f"it runs as {runs_as or 'the default account'}, not as {account}"
        mend = f"gcloud run services update {name} {where} --service-account={account}"
        yield about.warns(said, mend)


def _environment(told: Told) -> dict[str, str]:
    template = told.get("template")
    containers = template.get("containers") if isinstance(template, dict) else None
    return {
        str(each.get("name")): str(each.get("value", ""))
        for container in (containers if isinstance(containers, list) else ())
        for each in container.get("env") or ()
    }


def _invite(name: str, where: str, who: str) -> str:
    return (
        f"gcloud run services add-iam-policy-binding {name} {where} --member={who} --role={INVOKER}"
    )


def _url(told: Told) -> str:
    return str(told.get("uri") or "an address that is not told")
