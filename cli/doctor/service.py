"""The service: the receiver's health, and what runs in the cloud: services, accounts, scheduler.

Sources: https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.services,
https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts and
https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from cli.deployed import RECEIVER, SUBSCRIBER, TICK_JOB, TICKS
from cli.doctor import service_settings as judging
from cli.doctor.finding import About, Finding, Group
from cli.doctor.google import Google, MayNot, NotFound
from cli.doctor.patient import Patient
from cli.doctor.running import Check
from subscriber.outbound import Busy, Outbound, Refused

REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")


def checks(patient: Patient) -> list[Check]:
    """What is known of can be asked: the receiver by its URL, the rest with Google credentials."""
    found: dict[str, Callable[[], Iterator[Finding]]] = {}
    if patient.receiver:
        found["receiver"] = partial(receiver, patient.outbound, patient.receiver)
    if patient.google is not None:
        looking = Looking(patient, patient.google, region(patient.region, patient.receiver))
        found["accounts"] = looking.accounts
        if looking.region:
            found[RECEIVER] = looking.receiver
            found[SUBSCRIBER] = looking.subscriber
            found[TICK_JOB] = looking.tick
        else:
            found["services"] = looking.nowhere
    return [Check(Group.SERVICE, name, act) for name, act in found.items()]


def region(said: str, url: str) -> str:
    """Where the services run: as somebody said, else as the receiver's URL says. Pure."""
    labels = (urlsplit(url).hostname or "").split(".")
    is_cloud_run = labels[-2:] == ["run", "app"] and len(labels) == 4
    return said or (labels[1] if is_cloud_run and REGION.fullmatch(labels[1]) else "")


def receiver(outbound: Outbound, url: str) -> Iterator[Finding]:
    """Whether the receiver says that it is ready."""
    try:
        reply = outbound.get_json(f"{url}/health")
    except Busy as busy:
        if busy.status is None:
            mend = f"gcloud run services describe {RECEIVER} --region=REGION"
            yield _about("receiver").fails(str(busy), mend)
            return
        reply = busy.reply
    except Refused as refused:
        reply = refused.reply
    yield judging.health(_about("receiver"), url, reply)


@dataclass(frozen=True)
class Looking:
    """Asks Google of what runs in `region`."""

    patient: Patient
    google: Google
    region: str

    def accounts(self) -> Iterator[Finding]:
        about, accounts = _about("accounts"), self.patient.accounts
        seen = []
        for account in (accounts.receiver, accounts.subscriber, accounts.push):
            name = account.partition("@")[0]
            try:
                told = self.google.get("iam", f"v1/projects/-/serviceAccounts/{account}")
            except NotFound:
                create = f"gcloud iam service-accounts create {name} --project={self._project}"
                yield about.fails(f"there is no account {account}", create)
            except MayNot as refused:
                yield about.skipped(f"{name}: {refused}")
            else:
                if told.get("disabled") is True:
                    enable = f"gcloud iam service-accounts enable {account}"
                    yield about.fails(f"{account} is disabled", enable)
                else:
                    seen.append(name)
        if seen:
            yield about.ok(f"{', '.join(seen)}: there, and enabled")

    def nowhere(self) -> Iterator[Finding]:
        said = "not looked at: nobody said in which region they run"
        yield _about("services").skipped(said, "afterrun doctor --region REGION")

    def receiver(self) -> Iterator[Finding]:
        account = self.patient.accounts.receiver
        yield from self._service(RECEIVER, partial(judging.receiver, account=account))

    def subscriber(self) -> Iterator[Finding]:
        accounts, places = self.patient.accounts, self.patient.places
        ledger = f"{places.ledger.kind}:{places.ledger.where}" if places is not None else ""
        judge = partial(
            judging.subscriber, account=accounts.subscriber, push=accounts.push, ledger=ledger
        )
        yield from self._service(SUBSCRIBER, judge)

    def tick(self) -> Iterator[Finding]:
        about, name = _about(TICK_JOB), f"{self._at}/jobs/{TICK_JOB}"
        topic = f"projects/{self._project}/topics/{TICKS}"
        create = (
            f"gcloud scheduler jobs create pubsub {TICK_JOB} --location={self.region} "
            f"--project={self._project} --schedule='* * * * *' --topic={TICKS} "
            "--message-body=tick --attributes=content=tick"
        )
        try:
            told = self.google.get("cloudscheduler", f"v1/{name}")
        except NotFound:
            yield about.fails("nothing ticks: there is no such job", create)
        except MayNot as refused:
            yield about.skipped(str(refused))
        else:
            where = f"--location={self.region} --project={self._project}"
            yield judging.tick(about, told, topic, where, self.patient.now())

    def _service(self, name: str, judge: "judging.Judge") -> Iterator[Finding]:
        about, at = _about(name), f"v2/{self._at}/services/{name}"
        try:
            told = self.google.get("run", at)
        except NotFound:
            yield about.fails(
                f"there is none in {self.region}", "gcloud builds submit, see README.md"
            )
            return
        except MayNot as refused:
            yield about.skipped(str(refused))
            return
        try:
            policy = self.google.policy("run", at)
        except (MayNot, NotFound):
            policy = None
        where = f"--region={self.region} --project={self._project}"
        yield from judge(about, told, policy, where=where)

    @property
    def _project(self) -> str:
        return self.google.project

    @property
    def _at(self) -> str:
        return f"projects/{self._project}/locations/{self.region}"


def _about(name: str) -> About:
    return About(Group.SERVICE, name)
