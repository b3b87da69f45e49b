"""What holds for every kind of destination; a new one needs its file, its page and its tests."""

import importlib
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from lab.faults import Fault, Faults
from shared.errors import Failure, PermanentFailure, TemporaryFailure
from subscriber import configuration, destinations
from subscriber.actions import Handle
from subscriber.budgets import EXACT
from subscriber.configuration import Configuration
from subscriber.destination import Destination, Does
from subscriber.examined import Examined
from subscriber.outbound import Outbound, UnknownOutcome
from subscriber.progress import Done, Failed, Running
from subscriber.yaml_lines import parse
from tests.subscriber.test_destinations import golden
from tests.subscriber.test_destinations.golden import CASES, a_case
from tests.subscriber.test_destinations.world import World

KINDS = destinations.names()
PAGES = Path(__file__).parents[3] / "docs" / "destinations"
LITERAL = "0123456789abcdef0123456789abcdef"

OVER_HTTP = [name for name in KINDS if destinations.kind(name).over_http]

of_every_kind = pytest.mark.parametrize("kind", KINDS)
of_every_kind_over_http = pytest.mark.parametrize("kind", OVER_HTTP)


def its_tests(kind: str) -> ModuleType:
    return importlib.import_module(f"tests.subscriber.test_destinations.test_{kind}")


def its_page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


def its_example(kind: str) -> Configuration:
    """The first example of the kind's page, read as the service reads a file."""
    example = re.search(r"```yaml\n(.*?)```", its_page(kind), re.DOTALL)
    assert example, f"docs/destinations/{kind}.md shows no example"
    return configuration.read(*parse(example[1], "example.yaml"))


def its_fields(kind: str, **changed: object) -> dict[str, Any]:
    """What it takes to make one, as configuration has it."""
    (found,) = its_example(kind).destinations.values()
    fields = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in found
    }
    return fields | changed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of a world is of each kind that it can be about."""
    if "served" in metafunc.fixturenames:
        kinds = KINDS
        if "faults" in metafunc.fixturenames:
            kinds = OVER_HTTP
        if "started" in metafunc.fixturenames:
            kinds = [kind for kind in kinds if destinations.kind(kind).looks]
        metafunc.parametrize("served", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[World]:
    with its_tests(request.param).a_world() as world:
        yield world


@pytest.fixture
def world(served: World) -> Iterator[World]:
    yield served
    if served.faults is not None:
        served.faults.always(None)


@pytest.fixture
def faults(world: World) -> Faults:
    assert world.faults is not None, "a kind over HTTP says what may happen to its requests"
    return world.faults


@pytest.mark.parametrize("needed", ["subscriber.settings", "subscriber.wiring"])
def test_only_a_kind_that_is_configured_costs_a_start(needed: str) -> None:
    code = (
        f"import sys, {needed}; from subscriber import destinations; destinations.names(); "
        "sys.exit(any(m.startswith('subscriber.destinations.') for m in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_kind_that_does_not_exist_is_not_made_up() -> None:
    for name in ("pager", "__init__", "../mode", ""):
        with pytest.raises(KeyError):
            destinations.kind(name)


@of_every_kind
def test_its_page_has_an_example_that_can_be_built_and_warns_of_nothing(kind: str) -> None:
    example = its_example(kind)

    assert [type(each) for each in example.destinations.values()] == [destinations.kind(kind)]
    assert example.warnings == ()


@of_every_kind
def test_its_page_explains_each_key(kind: str) -> None:
    page = its_page(kind)

    missing = [name for name in destinations.kind(kind).model_fields if f"`{name}`" not in page]

    assert missing == []


@of_every_kind
def test_it_says_what_it_is_for_and_whether_a_repeat_does_harm(kind: str) -> None:
    assert destinations.kind(kind).does in Does
    assert destinations.kind(kind).repeatable in (True, False)


@of_every_kind
def test_a_secret_written_as_it_is_is_refused_and_not_repeated(kind: str) -> None:
    model = destinations.kind(kind)
    (destination,) = its_example(kind).destinations.values()

    for name in destination.secret_refs():
        with pytest.raises(ValidationError) as raised:
            model.model_validate(its_fields(kind, **{name: LITERAL}))

        assert "write where it is kept: secret:NAME" in str(raised.value)
        assert LITERAL not in str(raised.value)


@of_every_kind
def test_an_unknown_key_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        destinations.kind(kind).model_validate(its_fields(kind, colour="blue"))


@of_every_kind_over_http
@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1", "https://eu.x.com"])
def test_it_goes_over_https_or_to_this_machine(kind: str, url: str) -> None:
    made = destinations.kind(kind).model_validate(its_fields(kind, base_url=f"{url}/"))

    assert made.base_url == url


@of_every_kind_over_http
@pytest.mark.parametrize(
    "url", ["http://events.example.com", "ftp://x.com", "x.com", " ", "https://user:secret@x.com"]
)
def test_it_goes_nowhere_else(kind: str, url: str) -> None:
    with pytest.raises(ValidationError) as raised:
        destinations.kind(kind).model_validate(its_fields(kind, base_url=url))

    assert "user:secret" not in str(raised.value)


@of_every_kind
def test_it_holds_references_until_its_secrets_are_read(kind: str) -> None:
    (destination,) = its_example(kind).destinations.values()
    refs = destination.secret_refs()

    ready = destination.with_secrets(lambda ref: f"{LITERAL} of {ref}")

    assert refs
    for name, ref in refs.items():
        assert getattr(destination, name).get_secret_value() == str(ref)
        assert getattr(ready, name).get_secret_value() == f"{LITERAL} of {ref}"


@of_every_kind
def test_it_can_be_made_again_from_what_is_kept_of_it(kind: str) -> None:
    (destination,) = its_example(kind).destinations.values()

    kept = json.loads(json.dumps(destination.as_written()))

    assert destination.kind() == kind
    assert destinations.kind(kind).model_validate(kept) == destination


@of_every_kind
def test_what_it_keeps_for_an_episode_stays_as_it_was_and_nothing_else(kind: str) -> None:
    (then,) = its_example(kind).destinations.values()
    url = "https://elsewhere.example" if then.over_http else "smtps://elsewhere.example"
    refs = {name: f"env:OTHER_{index}" for index, name in enumerate(then.secret_refs())}
    now = destinations.kind(kind).model_validate(its_fields(kind, base_url=url, **refs))

    acting = now.as_opened(then.as_written())

    assert then.keeps <= set(type(then).model_fields)
    for name in type(then).model_fields:
        assert getattr(acting, name) == getattr(then if name in then.keeps else now, name)


@of_every_kind
def test_a_pace_is_a_number_in_a_stretch_of_time(kind: str) -> None:
    paces = destinations.kind(kind).paces

    for limit, per in paces:
        assert limit > 0
        assert per > timedelta(0)
        # a larger budget is counted in slices, which several limits do not share
        assert limit <= EXACT or len(paces) == 1


@of_every_kind
def test_no_secret_is_shown_when_it_is_printed(kind: str) -> None:
    (destination,) = its_example(kind).destinations.values()
    ready = destination.with_secrets(lambda _: LITERAL)

    assert LITERAL not in f"{ready!r} {ready} {ready.model_dump()} {ready.model_dump_json()}"


@of_every_kind
def test_it_cannot_be_changed(kind: str) -> None:
    (destination,) = its_example(kind).destinations.values()

    with pytest.raises(ValidationError, match="frozen"):
        destination.base_url = "https://x.com"  # type: ignore[misc]


def test_it_delivers(world: World) -> None:
    before = world.carried_out()

    handle = world.deliver()

    assert world.carried_out() == before + 1
    assert bool(handle.key) is world.has_handle


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 415, 422])
def test_a_refusal_is_permanent(world: World, faults: Faults, status: int) -> None:
    faults.always(Fault("answer", status=status))

    with pytest.raises(PermanentFailure):
        world.deliver()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_being_busy_is_temporary_and_asks_for_the_pause_it_was_told(
    world: World, faults: Faults, status: int
) -> None:
    faults.always(Fault("answer", status=status, headers={"Retry-After": "77"}))

    with pytest.raises(TemporaryFailure) as raised:
        world.deliver()

    assert raised.value.retry_after_s == 77


def test_a_lost_answer_is_asked_for_again_only_where_the_vendor_absorbs_it(
    world: World, faults: Faults
) -> None:
    before = world.carried_out()
    faults.next(Fault("lost", path=world.path))

    if world.destination.repeatable:
        world.deliver()
        assert world.carried_out() == before + 2
    else:
        with pytest.raises(UnknownOutcome):
            world.deliver()
        assert world.carried_out() == before + 1


def test_a_no_that_looks_like_a_yes_is_a_failure(world: World, faults: Faults) -> None:
    for body in world.noes:
        faults.next(Fault("answer", status=200, body=body, path=world.path))

        with pytest.raises(Failure):
            world.deliver()


def test_a_redirect_is_not_followed(world: World, faults: Faults) -> None:
    faults.always(Fault("answer", status=307, headers={"Location": "https://x.example/"}))

    with pytest.raises(PermanentFailure, match="redirect"):
        world.deliver()


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 429, 503])
def test_no_failure_and_no_log_line_shows_a_secret(
    world: World, faults: Faults, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = _secrets(world.destination)
    echo = Fault("answer", status=status, body={"errors": secrets}, headers={"Retry-After": "1"})
    faults.always(echo)

    said = ""
    try:
        said += repr(world.deliver())
    except Failure as failure:
        said += "".join(traceback.format_exception(failure))

    assert secrets
    assert [secret for secret in secrets if secret in said + caplog.text] == []


def test_looking_at_it_delivers_nothing_and_finds_it_working(world: World) -> None:
    before = world.carried_out()

    found = world.examine()

    assert world.carried_out() == before
    assert found.said
    assert found.doubts == ()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_looking_at_what_refuses_its_credential_is_a_failure_where_it_is_tried(
    world: World, faults: Faults, status: int
) -> None:
    faults.always(Fault("answer", status=status))

    found: Examined | PermanentFailure
    try:
        found = world.examine()
    except PermanentFailure as failure:
        found = failure

    # where the credential is not tried, any answer of the host will do
    assert isinstance(found, PermanentFailure) or not found.is_tried


def test_looking_at_what_is_away_is_a_temporary_failure(world: World, faults: Faults) -> None:
    if type(world.destination).examine is Destination.examine:
        pytest.skip("nothing of it can be seen without telling somebody")
    faults.always(Fault("cut"))

    with pytest.raises(TemporaryFailure):
        world.examine()


@pytest.mark.parametrize("status", [200, 202, 302, 400, 401, 403, 404, 429, 503])
def test_looking_at_it_shows_no_secret(
    world: World, faults: Faults, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = _secrets(world.destination)
    echo = {name: " ".join(secrets) for name in ("error", "name", "user", "reason", "message")}
    faults.always(Fault("answer", status=status, body=echo, headers={"Retry-After": "1"}))

    said = ""
    try:
        said += repr(world.examine())
    except Failure as failure:
        said += "".join(traceback.format_exception(failure))

    assert [secret for secret in secrets if secret in said + caplog.text] == []


def test_what_it_holds_is_of_the_right_form(world: World) -> None:
    for name, value in world.destination:
        if isinstance(value, SecretStr):
            assert world.destination.misfit(name) == ""


@of_every_kind
@pytest.mark.parametrize("value", ["x", "", "https://", "a b", "é", "whsec_", "xoxb"])
def test_a_form_that_is_not_right_is_said_without_showing_it(kind: str, value: str) -> None:
    (destination,) = its_example(kind).destinations.values()
    wrong = f"{value}{LITERAL}zz" if value else ""

    for name in destination.secret_refs():
        held = destination.model_copy(update={name: SecretStr(wrong)})

        assert not wrong or wrong not in held.misfit(name)


def test_whatever_it_is_told_the_vendor_takes_it(world: World) -> None:
    for case in golden.cases(world.destination.kind()):
        world.deliver(a_case(world.destination.kind(), case))


@pytest.fixture
def started(world: World, faults: Faults) -> tuple[World, Handle]:
    """A refresh that was started, with its handle as the ledger keeps it."""
    handle = world.deliver()
    return world, Handle(**json.loads(json.dumps(asdict(handle))))


def test_how_far_it_is_is_known_from_what_the_ledger_kept(started: tuple[World, Handle]) -> None:
    world, handle = started

    found = world.destination.progress(handle, Outbound(read_timeout_s=2))

    assert isinstance(found, Running | Done | Failed)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_vendor_that_cannot_say_now_how_far_it_is_is_asked_later(
    started: tuple[World, Handle], faults: Faults, status: int
) -> None:
    world, handle = started
    faults.always(Fault("answer", status=status, headers={"Retry-After": "77"}))

    with pytest.raises(TemporaryFailure) as raised:
        world.destination.progress(handle, Outbound(read_timeout_s=2))

    assert raised.value.retry_after_s == 77


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refresh_that_may_not_be_asked_for_is_a_refusal(
    started: tuple[World, Handle], faults: Faults, status: int
) -> None:
    world, handle = started
    faults.always(Fault("answer", status=status))

    with pytest.raises(PermanentFailure):
        world.destination.progress(handle, Outbound(read_timeout_s=2))


@pytest.mark.parametrize("body", [{}, [], {"status": "no such state"}, {"job": {}}, {"state": 7}])
def test_an_answer_that_says_nothing_known_is_no_good_end(
    started: tuple[World, Handle], faults: Faults, body: object
) -> None:
    world, handle = started
    faults.always(Fault("answer", status=200, body=body))

    try:
        found: object = world.destination.progress(handle, Outbound(read_timeout_s=2))
    except Failure as failure:
        found = failure

    assert not isinstance(found, Done)


@of_every_kind
@pytest.mark.parametrize("case", CASES)
def test_what_it_is_told_can_be_looked_at_and_shows_no_secret(kind: str, case: str) -> None:
    (destination,) = its_example(kind).destinations.values()
    refs = [str(ref) for ref in destination.secret_refs().values()]

    shown = destination.shown(a_case(kind, case))

    assert shown.strip()
    assert [ref for ref in refs if ref in shown] == []


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind in KINDS for case in golden.cases(kind)]
)
def test_what_it_is_told_looks_as_it_did(kind: str, case: str) -> None:
    if not golden.of(kind):
        pytest.skip("nothing was kept to compare with: `make golden` writes it")
    (destination,) = its_example(kind).destinations.values()

    assert destination.shown(a_case(kind, case)) == golden.read(kind, case)


@of_every_kind
def test_its_page_shows_what_it_is_told(kind: str) -> None:
    if not golden.of(kind):
        pytest.skip("nothing was kept to show")
    case = "refresh" if destinations.kind(kind).does.starts else "open"

    assert golden.read(kind, case).strip() in its_page(kind)


def _secrets(destination: Destination) -> list[str]:
    return [value.get_secret_value() for _, value in destination if isinstance(value, SecretStr)]
