"""What was found, as people and programs see it."""

import pytest

from cli.doctor import page
from cli.doctor.finding import About, Finding, Group
from tests.cli.running import QUIET

FOUND = [
    About(Group.SECRETS, "secret:pd-routing-key").ok("for oncall.routing_key"),
    About(Group.SECRETS, "secret:a-name-that-is-much-longer").fails(
        "it is not there", "gcloud secrets versions add a-name-that-is-much-longer --data-file=-"
    ),
    About(Group.DESTINATIONS, "oncall (pagerduty)").skipped(
        "events.pagerduty.com answers; untried: the key", "afterrun send"
    ),
    About(Group.LEDGER, "dead letters").warns(
        "3 of the last 200 actions were given up for good", "afterrun dead-letters list"
    ),
]

AT_80 = """\
secrets
  ok      secret:pd-routing-key  for oncall.routing_key
  FAILS   secret:a-name-that-is-much-longer
                                 it is not there
          fix: gcloud secrets versions add a-name-that-is-much-longer --data-file=-

destinations
  skipped oncall (pagerduty)     events.pagerduty.com answers; untried: the key
          do: afterrun send

ledger
  warn    dead letters           3 of the last 200 actions were given up for
                                 good
          fix: afterrun dead-letters list

1 fails, 1 to look at, 1 not tried, 1 ok
"""

AT_40 = """\
secrets
  ok secret:pd-routing-key
    for oncall.routing_key
  FAILS secret:a-name-that-is-much-longer
    it is not there
    fix: gcloud secrets versions add a-name-that-is-much-longer --data-file=-

destinations
  skipped oncall (pagerduty)
    events.pagerduty.com answers;
    untried: the key
    do: afterrun send

ledger
  warn dead letters
    3 of the last 200 actions were given
    up for good
    fix: afterrun dead-letters list

1 fails, 1 to look at, 1 not tried, 1 ok
"""


@pytest.mark.parametrize(("columns", "shown"), [(80, AT_80), (40, AT_40)], ids=["80", "40"])
def test_it_is_grouped_a_line_each_with_what_mends_it(
    columns: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {**QUIET, "COLUMNS": str(columns)}.items():
        monkeypatch.setenv(name, value)

    page.show(FOUND)

    assert capsys.readouterr().out == shown


def test_what_others_wrote_moves_no_cursor_and_shows_no_secret() -> None:
    hostile = "no\x1b[2Jway\nplease password=hunter2hunter2"
    finding = About(Group.DBT_CLOUD, "a\x1b[2Jb").fails(hostile, "run\nthis")

    shown = str(page.as_data([finding]))

    assert "\x1b" not in shown
    assert "hunter2" not in shown
    assert "'mend': 'run this'" in shown


def test_on_a_terminal_neither(capsys: pytest.CaptureFixture[str]) -> None:
    page.show([About(Group.DBT_CLOUD, "it").fails("no\x1b[2Jway password=hunter2hunter2", "a\nb")])

    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "hunter2" not in out


def test_a_reference_is_shown_as_it_is() -> None:
    finding = About(Group.SECRETS, "secret:pd-routing-key").ok("for oncall.routing_key")

    assert page.as_data([finding]) == {
        "works": True,
        "findings": [
            {
                "group": "secrets",
                "name": "secret:pd-routing-key",
                "state": "ok",
                "said": "for oncall.routing_key",
                "mend": "",
            }
        ],
    }


def test_what_is_only_to_be_looked_at_works() -> None:
    assert page.as_data(FOUND[2:])["works"] is True
    assert page.as_data(FOUND)["works"] is False


def test_marks_read_without_colour() -> None:
    marks = {state.value for state in {each.state for each in FOUND}}

    assert marks == {"ok", "FAILS", "warn", "skipped"}


def test_every_group_has_a_word_for_the_command_line() -> None:
    assert [group.word for group in Group] == [
        "configuration",
        "secrets",
        "dbt-cloud",
        "destinations",
        "ledger",
        "pubsub",
        "service",
    ]


def test_nothing_found_is_said_with_nothing() -> None:
    none: list[Finding] = []

    assert page.summary(none) == ""
