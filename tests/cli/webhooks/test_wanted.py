import pytest

from cli.webhooks import wanted
from shared.errors import Mistake


@pytest.mark.parametrize(
    "url", ["https://a.example", "https://a.example/hook?x=1", "http://127.0.0.1:8080/"]
)
def test_a_url_stays_as_it_is_written(url: str) -> None:
    assert wanted.url(url) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("a.example", "write the receiver's address"),
        ("", "write the receiver's address"),
        ("ftp://a.example", "write the receiver's address"),
        ("https://", "write the receiver's address"),
        ("https://a.example/ x", "write the receiver's address"),
        ("https://[::1", "write the receiver's address"),
        ("https://a.example:99999", "write the receiver's address"),
        ("http://a.example", "use https"),
        ("https://u:p@a.example", "holds credentials"),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_a_mistake(url: str, says: str) -> None:
    with pytest.raises(Mistake, match=says):
        wanted.url(url)


@pytest.mark.parametrize(
    "written", ["completed,errored", "job.run.errored, job.run.completed", "errored,completed,"]
)
def test_events_are_named_shortly_or_fully_in_any_order(written: str) -> None:
    assert wanted.events(written) == ("job.run.completed", "job.run.errored")


def test_an_event_that_is_not_known_may_be_mistyped() -> None:
    with pytest.raises(Mistake, match="did you mean `errored`"):
        wanted.events("completed,error")


@pytest.mark.parametrize("written", ["", ",", " "])
def test_a_webhook_without_events_is_a_mistake(written: str) -> None:
    with pytest.raises(Mistake, match="at least one"):
        wanted.events(written)


def test_jobs_are_ids_each_once() -> None:
    assert wanted.jobs("70403103917190, 2,2") == ("70403103917190", "2")


@pytest.mark.parametrize("written", ["nightly", "1 2", "-1", "²"])
def test_a_job_that_is_no_id_is_a_mistake(written: str) -> None:
    with pytest.raises(Mistake, match="write ids"):
        wanted.jobs(written)
