"""Power BI: refreshing a dataset, as the lab's stand-in takes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from lab.faults import Fault
from lab.power_bi import PowerBi as StandIn
from lab.power_bi_refresh import Dataset, Ending
from lab.serve import serve
from shared.errors import PermanentFailure, TemporaryFailure
from subscriber.actions import Action, Handle, Verb
from subscriber.destinations.power_bi import PowerBi
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome
from subscriber.progress import Done, Failed, Progress, Running
from subscriber.tokens import Tokens
from tests.builders import Clock, an_action
from tests.subscriber.test_destinations.world import World

SECRET = "s3cr=t&~0123456789"
TENANT = "c8a9e4a0-98e2-4d0d-9d7e-1f0a4d4d2f10"
APP = "0d8f4d5e-6a51-4b0e-8f0f-2f4f8f4c1b11"
WORKSPACE = "f089354e-8366-4e18-aea3-4cb4a3a50b48"
SHARED = Dataset(WORKSPACE, "cfafbeb1-8037-4d0c-896e-a46fb27ff229")
PREMIUM = Dataset(WORKSPACE, "f7fc6510-e151-42a3-850b-d0805a391db0", "premium")
LIVE = Dataset(WORKSPACE, "1e2c9b5e-3b0f-4f0c-8a56-0d2cf5a5c1aa", is_direct_query=True)
UNKNOWN = "00000000-0000-0000-0000-000000000007"
ENHANCED: dict[str, Any] = {"refresh": "enhanced", "dataset": PREMIUM.id}


def as_written(**fields: Any) -> PowerBi:
    written = {
        "tenant": TENANT,
        "client_id": APP,
        "client_secret": "env:SECRET",
        "workspace": WORKSPACE,
        "dataset": SHARED.id,
    }
    return PowerBi.model_validate(written | fields)


def a_power_bi(secret: str = SECRET, **fields: Any) -> PowerBi:
    """As it is when its secret has been read."""
    return as_written(**fields).with_secrets(lambda _: secret)


def a_stand_in(clock: Clock) -> StandIn:
    return StandIn(
        tenant=TENANT,
        client_id=APP,
        client_secret=SECRET,
        datasets=[SHARED, PREMIUM, LIVE],
        clock=clock,
    )


@dataclass(frozen=True)
class Ended(World):
    """A world in which each refresh has ended before the next is asked for."""

    finish: Callable[[], object] = lambda: None

    def deliver(self, action: Action | None = None) -> Handle:
        self.finish()
        return super().deliver(action)


@contextmanager
def a_world() -> Iterator[World]:
    stand_in = a_stand_in(Clock())

    with serve(stand_in.app) as url:
        yield Ended(
            destination=a_power_bi(base_url=url, login_url=url, dataset=PREMIUM.id),
            action=an_action(Verb.REFRESH),
            faults=stand_in.faults,
            carried_out=lambda: len(stand_in.refreshes),
            finish=stand_in.finish,
            noes=({}, {"value": []}, "<html>"),
            path="/refreshes",
        )


class Service:
    """A Power BI that serves, and what a destination of one process makes of it."""

    def __init__(self, url: str, stand_in: StandIn, clock: Clock) -> None:
        self.url = url
        self.stand_in = stand_in
        self.clock = clock
        self.outbound = Outbound(clock=clock, tokens=Tokens(lambda: clock.now.timestamp()))

    def destination(self, **fields: Any) -> PowerBi:
        return a_power_bi(**{"base_url": self.url, "login_url": self.url} | fields)

    def deliver(self, **fields: Any) -> Handle:
        return self.destination(**fields).deliver(an_action(Verb.REFRESH), self.outbound)

    def progress(self, handle: Handle, **fields: Any) -> Progress:
        return self.destination(**fields).progress(handle, self.outbound)

    def answers(self, status: int, body: object = None, **headers: str) -> None:
        """The next answer but those of the sign-in."""
        fault = Fault("answer", status=status, body=body, headers=headers, path="/refreshes")
        self.stand_in.faults.next(fault)


@pytest.fixture
def service() -> Iterator[Service]:
    clock = Clock()
    stand_in = a_stand_in(clock)
    with serve(stand_in.app) as url:
        yield Service(url, stand_in, clock)


def test_a_refresh_is_a_standard_one_unless_configured(service: Service) -> None:
    handle = service.deliver()

    (refresh,) = service.stand_in.refreshes
    assert (refresh.dataset, refresh.how) == (SHARED, "ViaApi")
    assert refresh.asked == {"notifyOption": "NoNotification"}
    assert handle.url == f"https://app.powerbi.com/groups/{WORKSPACE}/datasets/{SHARED.id}"


def test_an_enhanced_refresh_loads_everything_unless_told_otherwise(service: Service) -> None:
    service.deliver(**ENHANCED)

    (refresh,) = service.stand_in.refreshes
    assert (refresh.dataset, refresh.how) == (PREMIUM, "ViaEnhancedApi")
    assert refresh.asked == {"type": "Full"}


def test_an_enhanced_refresh_is_asked_for_in_power_bis_words(service: Service) -> None:
    service.deliver(
        **ENHANCED,
        type="DataOnly",
        commit_mode="PartialBatch",
        max_parallelism=2,
        retry_count=0,
        objects=[{"table": "Orders ✓", "partition": "2026"}, {"table": "Date"}],
        apply_refresh_policy=False,
    )

    (refresh,) = service.stand_in.refreshes
    assert refresh.asked == {
        "type": "DataOnly",
        "commitMode": "PartialBatch",
        "maxParallelism": 2,
        "retryCount": 0,
        "objects": [{"table": "Orders ✓", "partition": "2026"}, {"table": "Date"}],
        "applyRefreshPolicy": False,
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "Full"}, "type: only with `refresh: enhanced`"),
        ({"objects": [{"table": "A"}], "retry_count": 0}, "retry_count, objects: only with"),
        ({**ENHANCED, "commit_mode": "PartialBatch"}, "apply_refresh_policy: false"),
        ({**ENHANCED, "type": "full"}, "'Full', 'ClearValues'"),
        ({**ENHANCED, "max_parallelism": 0}, "greater than or equal to 1"),
        ({**ENHANCED, "objects": []}, "at least 1 item"),
        ({**ENHANCED, "objects": [{"partition": "A"}]}, "table"),
        ({**ENHANCED, "objects": [{"table": "A", "column": "B"}]}, "column"),
        ({**ENHANCED, "apply_refresh_policy": "no"}, "boolean"),
        ({"refresh": "full"}, "'standard' or 'enhanced'"),
        ({"workspace": "sales"}, "this is no id"),
        ({"dataset": "../x"}, "this is no id"),
        ({"tenant": "a/b"}, "this is no tenant"),
        ({"tenant": ".."}, "this is no tenant"),
        ({"login_url": "http://login.example"}, "plain http"),
        ({"login_url": "https://user:pw@login.example"}, "no credentials"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_anything_is_sent(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        as_written(**fields)


@pytest.mark.parametrize("tenant", [TENANT, "acme.onmicrosoft.com", " acme.example\n"])
def test_a_tenant_is_named_by_its_id_or_its_domain(tenant: str) -> None:
    assert as_written(tenant=tenant).tenant == tenant.strip()


def test_one_token_serves_until_some_minutes_before_its_end(service: Service) -> None:
    handle = service.deliver(**ENHANCED)
    service.clock.passes(3_200)
    service.progress(handle, **ENHANCED)
    assert len(service.stand_in.entra.tokens) == 1

    service.clock.passes(200)
    service.progress(handle, **ENHANCED)

    assert len(service.stand_in.entra.tokens) == 2


def test_a_token_is_for_one_set_of_credentials(service: Service) -> None:
    service.deliver()

    with pytest.raises(Refused, match="AADSTS7000215"):
        service.deliver(secret="another")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_no_longer_accepted_is_renewed_once(service: Service, status: int) -> None:
    handle = service.deliver(**ENHANCED)

    service.answers(status, {"error": {"code": "TokenExpired"}})
    assert service.progress(handle, **ENHANCED) == Running()

    assert len(service.stand_in.entra.tokens) == 2


def test_a_new_token_that_is_not_accepted_either_is_a_refusal(service: Service) -> None:
    service.deliver()
    service.stand_in.finish()
    service.answers(401)
    service.answers(401)

    with pytest.raises(Refused, match=r"does not accept the app's token \(401\)") as raised:
        service.deliver()

    assert raised.value.status == 401
    assert len(service.stand_in.refreshes) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"secret": "s3cr-wrong"}, "AADSTS7000215.*use the secret's value, not its id"),
        ({"client_id": "other"}, "AADSTS700016.*check `client_id` and `tenant`"),
        ({"tenant": "other.example"}, "AADSTS90002.*check `tenant`"),
    ],
)
def test_a_sign_in_that_is_refused_says_what_to_mend(
    service: Service, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said) as raised:
        service.deliver(**fields)

    assert raised.value.status in (400, 401)
    assert not any(str(value) in str(raised.value) for value in fields.values())


def test_a_secret_that_has_expired_is_told_apart(service: Service) -> None:
    service.stand_in.entra.secret_has_expired = True

    with pytest.raises(Refused, match=r"AADSTS7000222.*has expired"):
        service.deliver()


@pytest.mark.parametrize("kind", ["cut", "lost"])
def test_a_sign_in_that_goes_unanswered_has_started_nothing(service: Service, kind: Any) -> None:
    service.stand_in.faults.next(Fault(kind, path="/token"), times=3)

    with pytest.raises(Busy, match="has not signed the app in yet") as raised:
        service.deliver()

    assert not isinstance(raised.value, UnknownOutcome)
    assert service.stand_in.refreshes == []


def test_a_token_for_another_cloud_is_asked_for_there() -> None:
    asked: list[dict[str, str]] = []

    class Asked(Outbound):
        def post_form(self, url: str, fields: Any, **_: Any) -> Any:
            asked.append({"url": url, **fields})
            raise Refused("no", 400)

    government = a_power_bi(
        base_url="https://api.powerbigov.us", login_url="https://login.microsoftonline.us"
    )
    with pytest.raises(Refused):
        government.deliver(an_action(Verb.REFRESH), Asked())

    assert asked == [
        {
            "url": f"https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/token",
            "grant_type": "client_credentials",
            "client_id": APP,
            "client_secret": SECRET,
            "scope": "https://analysis.usgovcloudapi.net/powerbi/api/.default",
        }
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [({}, True), ({}, False), (ENHANCED, True)],
    ids=["standard", "standard without a name", "enhanced"],
)
@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("Completed", ""),
        ("Failed", "failed: ModelRefreshFailed_CredentialsNotSpecified"),
        ("Disabled", "was switched off"),
    ],
)
def test_a_refresh_is_followed_to_its_end(
    service: Service,
    fields: Any,
    named: Any,
    ending: Ending,
    said: str,
) -> None:
    service.stand_in.names_standard_refreshes = named
    service.stand_in.ending = ending
    handle = service.deliver(**fields)
    service.clock.passes(60)

    seen = [service.progress(handle) for _ in range(4)]

    assert seen[:2] == [Running(), Running()]
    assert seen[3] == seen[2]
    if not said:
        assert seen[2] == Done()
        return
    assert isinstance(seen[2], Failed)
    if fields and ending == "Failed":
        said = "failed: The refresh failed: ModelRefreshFailed"
    assert said in seen[2].reason


def test_other_refreshes_of_the_dataset_are_not_taken_for_ours(service: Service) -> None:
    service.stand_in.ending = "Failed"
    for _ in range(2):
        service.stand_in.begin(SHARED, "ViaApi")
        service.stand_in.finish()
    service.clock.passes(3_600)
    service.stand_in.ending = "Completed"
    handle = service.deliver()
    service.stand_in.finish()
    service.clock.passes(600)
    service.stand_in.ending = "Failed"
    service.stand_in.begin(SHARED, "Scheduled")
    service.stand_in.finish()

    assert service.progress(handle) == Done()


def test_a_refresh_that_the_history_does_not_have_yet_is_on_its_way(service: Service) -> None:
    handle = service.deliver()

    service.answers(200, {"value": []})

    assert service.progress(handle) == Running()


def test_a_refresh_is_found_though_another_dataset_is_configured_by_now(service: Service) -> None:
    handle = service.deliver(**ENHANCED)
    service.stand_in.finish()

    assert service.progress(handle, dataset=SHARED.id) == Done()


def test_a_location_on_another_host_is_not_gone_to(service: Service) -> None:
    other = a_stand_in(service.clock)
    with serve(other.app) as elsewhere:
        service.answers(202, None, Location=f"{elsewhere}/v1.0/x/refreshes/{UNKNOWN}")
        handle = service.deliver(**ENHANCED)
        other.faults.always(Fault("answer", status=200, body={"status": "Completed"}))

        with pytest.raises(PermanentFailure, match="does not know the refresh"):
            service.progress(handle, **ENHANCED)


def test_a_refresh_that_is_going_on_is_waited_for_and_then_ours_begins(service: Service) -> None:
    service.stand_in.begin(SHARED, "Scheduled")

    with pytest.raises(TemporaryFailure, match=r"another refresh .* is going on") as raised:
        service.deliver()
    assert raised.value.retry_after_s == 60

    service.stand_in.finish()
    service.deliver()
    assert [refresh.how for refresh in service.stand_in.refreshes] == ["Scheduled", "ViaApi"]


@pytest.mark.parametrize("status", [400, 429])
def test_the_ninth_refresh_of_a_day_waits_an_hour(service: Service, status: Any) -> None:
    service.stand_in.used_up_status = status
    for _ in range(8):
        service.deliver()
        service.stand_in.finish()

    with pytest.raises(TemporaryFailure, match="8 in 24 hours") as raised:
        service.deliver()

    assert raised.value.retry_after_s == 3_600


def test_an_overloaded_power_bi_is_left_alone_as_long_as_it_asks(service: Service) -> None:
    service.stand_in.overloaded_until = service.clock.now + timedelta(seconds=3_400)

    with pytest.raises(TemporaryFailure, match="no more requests of the app") as raised:
        service.deliver()

    assert raised.value.retry_after_s == 3_400


def test_a_dataset_in_direct_query_mode_is_refused_for_good(service: Service) -> None:
    with pytest.raises(Refused, match="nothing to refresh; take it out of the rules"):
        service.deliver(dataset=LIVE.id)


def test_an_enhanced_refresh_on_shared_capacity_is_refused_for_good(service: Service) -> None:
    with pytest.raises(Refused, match="use `refresh: standard`"):
        service.deliver(refresh="enhanced")


def test_a_tenant_that_keeps_apps_out_is_told_apart(service: Service) -> None:
    service.stand_in.apps_are_let_in = False

    with pytest.raises(Refused, match=r"\(403\): let the tenant setting") as raised:
        service.deliver()

    assert raised.value.status == 403


@pytest.mark.parametrize("name", ["workspace", "dataset"])
def test_a_dataset_that_the_app_cannot_see_is_told_apart(service: Service, name: str) -> None:
    with pytest.raises(Refused, match=r"\(404\): check `workspace` and `dataset`") as raised:
        service.deliver(**{name: UNKNOWN})

    assert UNKNOWN not in str(raised.value)


def test_a_refresh_whose_answer_was_lost_is_not_repeated_by_itself(service: Service) -> None:
    service.stand_in.faults.next(Fault("lost", path="/refreshes"))

    with pytest.raises(UnknownOutcome):
        service.deliver()

    assert len(service.stand_in.refreshes) == 1


def test_an_answer_other_than_202_has_begun_nothing(service: Service) -> None:
    service.answers(200, {"value": []})

    with pytest.raises(PermanentFailure, match="is `base_url` the address of its API"):
        service.deliver()


def test_a_sign_in_without_a_token_asks_for_the_right_address(service: Service) -> None:
    service.stand_in.faults.next(Fault("answer", status=200, body="<html>", path="/token"))

    with pytest.raises(PermanentFailure, match="is `login_url` the address of Entra"):
        service.deliver()


def test_what_is_shown_is_what_is_sent() -> None:
    assert as_written().shown(an_action()) == '{\n  "notifyOption": "NoNotification"\n}\n'
    assert as_written(**ENHANCED).shown(an_action()) == '{\n  "type": "Full"\n}\n'


def test_a_look_refreshes_nothing_and_says_which_dataset_the_app_sees(service: Service) -> None:
    found = service.destination().examine(service.outbound)

    assert found.said == f"the app sees the dataset {SHARED.id}; untried: to refresh it"
    assert service.stand_in.refreshes == []


def test_a_look_at_a_dataset_that_is_not_there_says_so(service: Service) -> None:
    with pytest.raises(PermanentFailure, match="no such dataset"):
        service.destination(dataset=UNKNOWN).examine(service.outbound)


def test_a_look_where_the_tenant_lets_no_apps_in_says_so(service: Service) -> None:
    service.stand_in.apps_are_let_in = False

    with pytest.raises(PermanentFailure, match="tenant setting"):
        service.destination().examine(service.outbound)
