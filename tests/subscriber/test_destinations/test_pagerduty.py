"""PagerDuty: what it is told, at its limits and over them, as the lab's stand-in takes it."""

import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from lab import pagerduty_event
from lab.faults import Fault
from lab.pagerduty import PagerDuty as StandIn
from lab.serve import serve
from subscriber.actions import Action, Handle, Message, Verb
from subscriber.destinations.pagerduty import EVENT_LIMIT_BYTES, PagerDuty
from subscriber.outbound import Busy, Outbound, Refused, UnknownOutcome, encode
from subscriber.owners import Owner
from tests.builders import NOW, a_node, a_told, an_action
from tests.subscriber.test_destinations.golden import a_case
from tests.subscriber.test_destinations.world import World

KEY = "0123456789abcdef0123456789abcdef"
WAVE = "👋🏽"  # two code points that look like one
ACCENTED = "e\N{COMBINING ACUTE ACCENT}"


def a_pagerduty(**fields: Any) -> PagerDuty:
    """As it is when its secrets have been read."""
    made = PagerDuty.model_validate({"routing_key": "env:KEY", **fields})
    return made.with_secrets(lambda _: KEY)


@contextmanager
def a_world() -> Iterator[World]:
    stand_in = StandIn(KEY)
    with serve(stand_in.app) as url:
        yield World(
            destination=a_pagerduty(base_url=url),
            action=an_action(Verb.OPEN),
            faults=stand_in.faults,
            carried_out=lambda: len([r for r in stand_in.requests if r.status == 202]),
        )


@pytest.fixture(scope="module")
def url_and_stand_in() -> Iterator[tuple[str, StandIn]]:
    stand_in = StandIn(KEY)
    with serve(stand_in.app) as url:
        yield url, stand_in


@pytest.fixture
def stand_in(url_and_stand_in: tuple[str, StandIn]) -> StandIn:
    return url_and_stand_in[1]


@pytest.fixture
def pagerduty(url_and_stand_in: tuple[str, StandIn]) -> PagerDuty:
    return a_pagerduty(base_url=url_and_stand_in[0])


def alert_of(**told: Any) -> dict[str, Any]:
    return a_pagerduty().alert(an_action(message=a_told(**told)))


def summary_of(headline: str) -> str:
    return str(alert_of(headline=headline)["payload"]["summary"])


def is_taken(alert: dict[str, Any]) -> bool:
    """Whether PagerDuty would take it, by all that is known of what it refuses."""
    body = encode(alert)
    event = pagerduty_event.read("application/json", body)
    assert event is not None
    errors = list(pagerduty_event.errors(event, {KEY}))
    return not errors and len(body) <= pagerduty_event.BODY_LIMIT_BYTES


def test_an_open_alert_says_what_failed_and_where() -> None:
    alert = alert_of(
        headline="Daily build failed in Production: model orders: no such column",
        source="Shop / Production / Daily build",
        link="https://cloud.getdbt.com/deploy/1/projects/9/runs/100",
    )

    assert alert["event_action"] == "trigger"
    assert alert["routing_key"] == KEY
    assert alert["client_url"] == "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"
    assert alert["links"][0]["href"] == alert["client_url"]
    payload = alert["payload"]
    assert payload["summary"] == "Daily build failed in Production: model orders: no such column"
    assert payload["source"] == "Shop / Production / Daily build"
    assert payload["severity"] == "error"
    assert payload["timestamp"] == NOW.isoformat()


def test_the_details_hold_each_node_and_what_helps_to_find_the_run() -> None:
    node = a_node(
        path="models/orders.sql",
        owner="data@shop.example",
        group="finance",
        severity="critical",
        tags=("daily", "finance"),
        skipped=("customers", "revenue"),
    )

    details = alert_of(nodes=(node,), facts={"job": "Daily build"}, skipped=1, more_nodes=2)[
        "payload"
    ]["custom_details"]

    assert details["job"] == "Daily build"
    assert details["skipped"] == 1
    assert details["failed_more"] == "and 2 more"
    assert details["failed"] == [
        {
            "name": "orders",
            "kind": "model",
            "status": "error",
            "error": "Database Error in model orders (models/orders.sql)\n  no such column",
            "path": "models/orders.sql",
            "owner": "data@shop.example",
            "group": "finance",
            "severity": "critical",
            "tags": "daily, finance",
            "skipped_because_of_it": "customers, revenue",
            "unique_id": "model.shop.orders",
        }
    ]


def test_closing_an_episode_resolves_the_alert_that_opened_it() -> None:
    opened = a_pagerduty().alert(an_action(Verb.OPEN, episode_key="afterrun/1/job/7/100"))
    closed = a_pagerduty().alert(an_action(Verb.CLOSE, episode_key="afterrun/1/job/7/100"))

    assert closed == {
        "routing_key": KEY,
        "dedup_key": opened["dedup_key"],
        "event_action": "resolve",
    }


def test_an_alert_is_opened_and_closed(pagerduty: PagerDuty, stand_in: StandIn) -> None:
    key = "afterrun/1/job/7/opened-and-closed"

    handle = pagerduty.deliver(an_action(Verb.OPEN, episode_key=key), Outbound())
    assert [alert.dedup_key for alert in stand_in.open_alerts if alert.dedup_key == key] == [key]
    pagerduty.deliver(an_action(Verb.CLOSE, episode_key=key), Outbound())

    assert handle.key == key
    (alert,) = [alert for alert in stand_in.alerts if alert.dedup_key == key]
    assert not alert.is_open


def test_a_repeat_whose_first_answer_was_lost_makes_no_second_alert(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    key = "afterrun/1/job/7/lost"
    stand_in.faults.next(Fault("lost"))

    pagerduty.deliver(an_action(Verb.OPEN, episode_key=key), Outbound())

    (alert,) = [alert for alert in stand_in.alerts if alert.dedup_key == key]
    assert len(alert.events) == 2


def test_no_answer_at_all_leaves_the_outcome_unknown(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    stand_in.faults.next(Fault("cut"), times=3)

    with pytest.raises(UnknownOutcome):
        pagerduty.deliver(an_action(), Outbound())


def test_an_unknown_routing_key_is_refused_and_not_repeated_in_the_reason(
    url_and_stand_in: tuple[str, StandIn],
) -> None:
    unknown = "f" * 32
    made = PagerDuty.model_validate({"routing_key": "env:K", "base_url": url_and_stand_in[0]})

    with pytest.raises(Refused, match="does not know the routing key: copy the") as raised:
        made.with_secrets(lambda _: unknown).deliver(an_action(), Outbound())

    assert raised.value.status == 400  # by which it is read anew
    assert unknown not in str(raised.value)


@pytest.mark.parametrize(
    "headline",
    ["x" * 1_024, "é" * 1_024, "🙂" * 1_024, ACCENTED * 512, WAVE * 512],
    ids=["ascii", "two bytes", "four bytes", "combining", "joined"],
)
def test_a_summary_of_1024_characters_is_left_whole(headline: str) -> None:
    assert len(headline) == 1_024

    assert summary_of(headline) == headline


@pytest.mark.parametrize(
    "letter", ["x", "é", "🙂", ACCENTED, WAVE], ids=["ascii", "é", "emoji", "combining", "joined"]
)
def test_a_longer_summary_is_cut_between_characters_and_says_so(letter: str) -> None:
    whole = 1_023 // len(letter)

    assert summary_of(letter * 1_025) == letter * whole + "…"


@given(st.text(min_size=0, max_size=1_100))
def test_whatever_the_headline_the_alert_is_taken(headline: str) -> None:
    alert = alert_of(headline=headline)

    assert len(alert["payload"]["summary"]) <= 1_024
    assert is_taken(alert)


@pytest.mark.parametrize("nothing", ["", " ", "\n\t", "\N{NO-BREAK SPACE}"])
def test_an_empty_headline_or_source_is_not_left_empty(nothing: str) -> None:
    alert = alert_of(headline=nothing, source=nothing)

    assert alert["payload"]["summary"] == "A dbt run failed"
    assert alert["payload"]["source"] == "dbt Cloud"
    assert is_taken(alert)


def test_an_alert_without_a_link_has_none() -> None:
    alert = alert_of(link="")

    assert "links" not in alert
    assert "client_url" not in alert


@pytest.mark.parametrize("letter", ["x", "é", "🙂"])
def test_a_key_of_255_characters_is_left_as_it_is(letter: str) -> None:
    key = letter * 255

    assert a_pagerduty().alert(an_action(episode_key=key))["dedup_key"] == key


@pytest.mark.parametrize("letter", ["x", "é", "🙂"])
def test_a_longer_key_is_hashed_the_same_way_for_open_and_close(letter: str) -> None:
    key = letter * 256

    opened = a_pagerduty().alert(an_action(Verb.OPEN, episode_key=key))["dedup_key"]
    closed = a_pagerduty().alert(an_action(Verb.CLOSE, episode_key=key))["dedup_key"]
    another = a_pagerduty().alert(an_action(Verb.OPEN, episode_key=f"{key}!"))["dedup_key"]

    assert opened == closed != another
    assert opened.startswith("afterrun/sha256/")
    assert len(opened) <= 255


@pytest.mark.parametrize("letter", ["x", "🙂"])
def test_an_error_of_5000_characters_is_told_whole(letter: str) -> None:
    error = letter * 5_000

    details = alert_of(nodes=(a_node(message=error),))["payload"]["custom_details"]

    assert details["failed"][0]["error"] == error
    assert "left_out" not in details


HUGE: dict[str, Message] = {
    "one huge error": a_told(nodes=(a_node(message="x" * 2_000_000),)),
    "a huge log": a_told(nodes=(), text="x" * 2_000_000),
    "no plain characters": a_told(nodes=(a_node(message="🙂" * 200_000),)),
    "much to escape": a_told(nodes=(a_node(message='"\\\n\x01' * 200_000),)),
    "many nodes": a_told(
        nodes=tuple(a_node(name=f"node_{i}", message="x" * 5_000) for i in range(1_000))
    ),
    "many nodes that cannot be cut": a_told(
        nodes=tuple(a_node(name="n" * 200, message="", owner="o" * 200) for _ in range(5_000))
    ),
    "huge facts": a_told(facts={"job": "x" * 600_000}),
    "huge owner": a_told(nodes=(a_node(owner="x" * 600_000),)),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_too_large_is_told_shorter_says_so_and_is_taken(
    what: str, pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    pagerduty.deliver(an_action(message=HUGE[what]), Outbound())

    request = stand_in.requests[-1]
    assert request.status == 202
    assert len(request.body) <= EVENT_LIMIT_BYTES
    payload = json.loads(request.body)["payload"]
    assert "The run in dbt Cloud has it all." in payload["custom_details"]["left_out"]
    assert payload["summary"] == a_told().headline


def test_nodes_that_are_left_out_for_their_size_are_counted() -> None:
    nodes = tuple(a_node(name="n" * 200, message="", owner="o" * 200) for _ in range(2_000))

    details = alert_of(nodes=nodes, more_nodes=7)["payload"]["custom_details"]

    shown = len(details["failed"])
    assert 0 < shown < 2_000
    assert details["failed_more"] == f"and {2_007 - shown} more"


def test_an_event_of_exactly_the_limit_is_not_cut() -> None:
    def with_error_of(size: int) -> dict[str, Any]:
        return alert_of(nodes=(a_node(message="x" * size),))

    fits = EVENT_LIMIT_BYTES - len(encode(with_error_of(1))) + 1

    whole, cut = with_error_of(fits), with_error_of(fits + 1)

    assert len(encode(whole)) == EVENT_LIMIT_BYTES
    assert "left_out" not in whole["payload"]["custom_details"]
    assert "left_out" in cut["payload"]["custom_details"]
    assert is_taken(whole)
    assert is_taken(cut)


@settings(max_examples=30, deadline=None)
@given(
    nodes=st.lists(
        st.builds(
            lambda text, size, owner: a_node(message=text * size, owner=owner),
            st.text(max_size=20),
            st.integers(0, 20_000),
            st.text(max_size=50),
        ),
        max_size=8,
    ),
    text=st.text(max_size=100),
    facts=st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5),
)
def test_whatever_the_message_the_alert_is_taken(
    nodes: list[Any], text: str, facts: dict[str, str]
) -> None:
    alert = alert_of(nodes=tuple(nodes), text=text * 1_000, facts=facts)

    assert is_taken(alert)


def test_a_text_that_was_cut_is_cut_between_characters() -> None:
    details = alert_of(nodes=(a_node(message=ACCENTED * 400_000),))["payload"]["custom_details"]

    error = details["failed"][0]["error"]
    assert error.endswith("…")
    assert unicodedata.is_normalized("NFD", error)


def test_the_eu_region_has_a_host_of_its_own() -> None:
    made = a_pagerduty(base_url="https://events.eu.pagerduty.com/")

    assert made.base_url == "https://events.eu.pagerduty.com"
    assert a_pagerduty().base_url == "https://events.pagerduty.com"


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info"])
def test_the_severity_may_be_chosen(severity: str) -> None:
    alert = a_pagerduty(severity=severity).alert(an_action())

    assert alert["payload"]["severity"] == severity
    assert is_taken(alert)


def test_another_severity_is_refused() -> None:
    with pytest.raises(ValidationError, match="'critical', 'error', 'warning' or 'info'"):
        PagerDuty(routing_key=SecretStr("env:K"), severity="high")


@pytest.mark.parametrize("severity", ["critical", "error", "warning"])
def test_a_warning_is_a_warning_whatever_failures_are(severity: str) -> None:
    alert = a_pagerduty(severity=severity).alert(an_action(message=a_told(level="warning")))

    assert alert["payload"]["severity"] == "warning"
    assert alert["payload"]["class"] == "dbt run warned"
    assert is_taken(alert)


def test_a_warning_is_no_more_than_info_where_failures_are_not() -> None:
    alert = a_pagerduty(severity="info").alert(an_action(message=a_told(level="warning")))

    assert alert["payload"]["severity"] == "info"


def test_a_failure_says_so_in_its_class() -> None:
    assert alert_of()["payload"]["class"] == "dbt run failed"


def test_a_digest_is_classed_as_one() -> None:
    digest = an_action(Verb.TELL, message=a_told(headline="", level="", outcome="digest"))

    told = a_pagerduty().alert(digest)["payload"]

    assert (told["class"], told["summary"]) == ("afterrun digest", "An afterrun digest")


def test_a_problem_that_is_only_told_is_classed_as_the_problem_that_it_is() -> None:
    warned = an_action(Verb.TELL, message=a_told(level="warning"))

    assert a_pagerduty().alert(warned)["payload"]["class"] == "dbt run warned"
    assert a_pagerduty().alert(an_action(Verb.TELL))["payload"]["class"] == "dbt run failed"


def test_a_warning_without_a_headline_does_not_say_that_it_failed() -> None:
    assert alert_of(headline="", level="warning")["payload"]["summary"] == "A dbt run warned"


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REMIND])
def test_what_is_told_of_an_open_alert_joins_it(verb: Verb) -> None:
    opened = a_pagerduty().alert(an_action(Verb.OPEN))
    followed = a_pagerduty().alert(an_action(verb))

    assert followed["event_action"] == "trigger"
    assert followed["dedup_key"] == opened["dedup_key"]
    assert is_taken(followed)


def test_what_is_only_told_joins_no_alert_and_wakes_nobody() -> None:
    action = an_action(Verb.TELL)

    told = a_pagerduty(severity="critical").alert(action)

    assert told["event_action"] == "trigger"
    assert told["dedup_key"] == action.key
    assert told["payload"]["severity"] == "info"
    assert is_taken(told)


def test_the_details_say_whose_it_is_since_when_and_what_changed() -> None:
    told = a_told(since="2026-01-05T11:00:00+00:00", new=("a",), still=("b", "c"), fixed=("d",))

    alert = a_pagerduty().alert(an_action(Verb.UPDATE, message=told, owner="finance"))

    details = alert["payload"]["custom_details"]
    assert details["owner"] == "finance"
    assert details["since"] == "2026-01-05T11:00:00+00:00"
    assert (details["new"], details["still_failing"], details["fixed"]) == ("a", "b, c", "d")
    assert is_taken(alert)


def test_details_that_say_nothing_are_left_out() -> None:
    details = alert_of()["payload"]["custom_details"]

    assert not {"owner", "since", "new", "still_failing", "fixed"} & set(details)


def test_an_owner_with_a_service_has_it_paged() -> None:
    written = PagerDuty(routing_key=SecretStr("env:OURS"), severity="critical")

    theirs = written.for_owner(Owner(pagerduty=SecretStr("env:THEIRS")))

    assert str(theirs.secret_refs()["routing_key"]) == "env:THEIRS"
    assert theirs.severity == "critical"
    assert written.for_owner(Owner(slack="U012AB3CD")) == written


def test_a_former_routing_key_written_as_it_is_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError, match="write where it is kept") as raised:
        PagerDuty(routing_key=SecretStr("env:K"), former_routing_keys=(SecretStr(KEY),))

    assert KEY not in str(raised.value)


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info"])
def test_a_rule_and_the_nodes_say_how_urgent_an_alert_is(severity: str) -> None:
    assert alert_of(severity=severity)["payload"]["severity"] == severity
    assert alert_of(severities=(severity,))["payload"]["severity"] == severity


def test_what_is_only_told_is_info_whatever_rule_and_nodes_say() -> None:
    told = a_told(severity="critical", severities=("critical",))

    assert a_pagerduty().alert(an_action(Verb.TELL, message=told))["payload"]["severity"] == "info"


def test_what_rules_look_at_is_said_however_little_room_there_is() -> None:
    huge = {f"fact {i}": "x" * 20_000 for i in range(50)}
    facts = huge | {"job": "Daily build", "environment": "Production"}

    payload = alert_of(headline="x" * 1_024, facts=facts)["payload"]

    assert "job" not in payload["custom_details"]
    assert (payload["component"], payload["group"]) == ("Daily build", "Production")
    assert payload["summary"] == "x" * 1_024


def an_end(**told: Any) -> Action:
    fields = {"headline": "Daily build succeeded", "nodes": (), "level": "", "outcome": "succeeded"}
    return an_action(Verb.TELL, message=a_told(**fields | told))


def with_changes(pagerduty: PagerDuty) -> PagerDuty:
    return pagerduty.model_copy(update={"change_events": True})


def test_a_destination_with_change_events_is_told_of_runs_that_were_no_problem() -> None:
    assert a_pagerduty(change_events=True).tells_ends()
    assert not a_pagerduty().tells_ends()


def test_a_good_run_is_shown_as_a_change_and_pages_nobody(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    alerts, changes = len(stand_in.alerts), len(stand_in.changes)
    job = "https://cloud.getdbt.com/deploy/1/projects/9/jobs/7"

    handle = with_changes(pagerduty).deliver(an_end(job_link=job), Outbound())

    assert handle == Handle()
    assert len(stand_in.alerts) == alerts
    (change,) = stand_in.changes[changes:]
    assert change.event == {
        "routing_key": KEY,
        "payload": {
            "summary": "Daily build succeeded",
            "source": "Shop / Production / Daily build",
            "timestamp": NOW.isoformat(),
            "custom_details": {"job": "Daily build", "run_id": "100"},
        },
        "links": [
            {"href": a_told().link, "text": "Open the run"},
            {"href": job, "text": "Open the job"},
        ],
    }


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(an_action(Verb.OPEN), id="an alert"),
        pytest.param(an_action(Verb.TELL), id="a problem that is only told"),
        pytest.param(an_end(outcome="digest"), id="a digest"),
    ],
)
def test_what_is_to_be_seen_stays_an_alert(
    action: Action, pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    changes = len(stand_in.changes)

    with_changes(pagerduty).deliver(action, Outbound())

    assert len(stand_in.changes) == changes


def test_without_change_events_what_is_told_is_an_alert_that_wakes_nobody(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    pagerduty.deliver(an_end(), Outbound())

    payload = stand_in.alerts[-1].events[-1]["payload"]
    assert (payload["severity"], payload["class"]) == ("info", "dbt run succeeded")


def test_a_change_whose_answer_was_lost_is_not_repeated_at_once(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    changes = len(stand_in.changes)
    stand_in.faults.next(Fault("lost"))

    with pytest.raises(UnknownOutcome):
        with_changes(pagerduty).deliver(an_end(), Outbound())

    assert len(stand_in.changes) == changes + 1


def test_a_huge_change_is_told_shorter_says_so_and_is_taken(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    with_changes(pagerduty).deliver(an_end(note="x" * 2_000_000), Outbound())

    assert stand_in.requests[-1].status == 202
    assert "left_out" in stand_in.changes[-1].event["payload"]["custom_details"]


def test_the_key_of_a_ruleset_takes_no_changes_and_is_not_tried(
    pagerduty: PagerDuty, stand_in: StandIn
) -> None:
    before = len(stand_in.requests)
    key = "R0123456789abcdef0123456789abcde"
    ruleset = with_changes(pagerduty).model_copy(update={"routing_key": SecretStr(key)})

    with pytest.raises(Refused, match=r"begins with R.*leave `change_events` out") as raised:
        ruleset.deliver(an_end(), Outbound())

    assert raised.value.status == 400  # by which the key is read anew: it may be another by now
    assert key not in str(raised.value)
    assert len(stand_in.requests) == before


def test_the_key_of_a_ruleset_takes_alerts() -> None:
    stand_in = StandIn(ruleset := "R0123456789abcdef0123456789abcde")
    with serve(stand_in.app) as url:
        made = a_pagerduty(base_url=url, change_events=True)
        made.model_copy(update={"routing_key": SecretStr(ruleset)}).deliver(an_action(), Outbound())

    assert len(stand_in.open_alerts) == 1


def test_a_full_minute_is_a_reason_to_come_back_after_half_of_it() -> None:
    stand_in = StandIn(KEY, clock=lambda: NOW)
    with serve(stand_in.app) as url:
        made = a_pagerduty(base_url=url)
        for _ in range(120):
            made.deliver(an_action(), Outbound())

        with pytest.raises(Busy) as raised:
            made.deliver(an_action(), Outbound())

    assert (raised.value.status, raised.value.retry_after_s) == (429, 30)


def test_its_page_shows_a_change_event() -> None:
    page = (Path(__file__).parents[3] / "docs/destinations/pagerduty.md").read_text("utf-8")
    written = PagerDuty(routing_key=SecretStr("env:KEY"), change_events=True)

    assert written.shown(a_case("pagerduty", "tell")).strip() in page


@pytest.mark.parametrize(("key", "length"), [(KEY[:-1], 31), (f"{KEY}x", 33)])
def test_a_routing_key_of_another_length_is_recognised(key: str, length: int) -> None:
    made = PagerDuty.model_validate({"routing_key": "env:KEY"}).with_secrets(lambda _: key)

    said = made.misfit("routing_key")

    assert said.startswith(f"a routing key has 32 characters, this has {length}")
    assert key not in said


def test_a_look_tries_no_key_since_that_would_page(served: World) -> None:
    assert served.examine().is_tried is False
    assert served.carried_out() == 0


@pytest.fixture
def served() -> Iterator[World]:
    with a_world() as world:
        yield world
