"""Templates: what may stand in a title or a note, and what becomes of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Mistake
from subscriber import configuration
from subscriber.diagnosis import clean
from subscriber.templates import (
    FIELDS,
    NOTE_LIMIT,
    NOTE_WRITTEN,
    TITLE_LIMIT,
    TITLE_WRITTEN,
    checked_note,
    checked_title,
    fields,
    note,
    title,
)
from subscriber.yaml_lines import parse

VALUES = {"job": "Daily build", "job_id": "7", "environment": "Production"}

fields_written = st.sampled_from(FIELDS).map(lambda name: f"{{{name}}}")
templates = st.lists(st.text(max_size=10) | fields_written, max_size=12).map("".join)
outside = st.text(max_size=400) | st.sampled_from(
    ["{job}", "{{", "}", "{job.__class__}", "{0}", "%s", "$job", "\\1", "\\g<0>", "{job!r:>9999}"]
)
values = st.dictionaries(st.sampled_from(FIELDS), outside)


def refused(check: Callable[[str], str], written: str) -> str:
    with pytest.raises(ValueError, match=r"\w") as raised:
        check(written)
    return str(raised.value)


# what may be written


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_may_stand_in_a_title_and_in_a_note(name: str) -> None:
    template = f"before {{{name}}} behind"

    assert checked_title(template) == checked_note(template) == template
    assert fields(template) == {name}
    assert title(template, {name: "x"}) == note(template, {name: "x"}) == "before x behind"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{jobb}", "field 1 is not known; did you mean `job`? known are: account_id, project, "),
        ("{job} {Environment}", "field 2 is not known; did you mean `environment`? known are: "),
        ("{job} {secret_key_x}", "field 2 is not known; known are: account_id, project, "),
        ("{}", "field 1 is not known; known are: account_id, project, "),
        ("{0}", "field 1 is not known; known are: account_id, project, "),
        ("{ job }", "field 1 is not known; did you mean `job`? known are: "),
        ("{job.name}", "field 1 is more than a name; did you mean `job`? known are: "),
        ("{job[0]}", "field 1 is more than a name; did you mean `job`? known are: "),
        ("{job!r}", "field 1 is more than a name; did you mean `job`? known are: "),
        ("{job:>9999}", "field 1 is more than a name; did you mean `job`? known are: "),
        ("{job\n}", "field 1 is not known; did you mean `job`? known are: "),
        ("{job", "a brace stands alone: write a field as {job}, a brace as {{ or }}"),
        ("job}", "a brace stands alone: "),
        ("{{job}", "a brace stands alone: "),
        ("{a{job}}", "a brace stands alone: "),
    ],
)
def test_what_is_no_field_is_refused_with_what_there_is(written: str, said: str) -> None:
    assert refused(checked_note, written).startswith(said)


@pytest.mark.parametrize("check", [checked_title, checked_note])
@pytest.mark.parametrize("written", ["", " ", "\n", "\u200b"])
def test_what_shows_nothing_is_refused(check: Callable[[str], str], written: str) -> None:
    assert refused(check, written).startswith("this is empty")


@pytest.mark.parametrize(
    ("check", "most"), [(checked_title, TITLE_WRITTEN), (checked_note, NOTE_WRITTEN)]
)
def test_what_is_too_long_is_refused(check: Callable[[str], str], most: int) -> None:
    assert check("x" * most)

    assert refused(check, "x" * (most + 1)) == (
        f"this is too long; write at most {most:,} characters"
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\x85", "\u2028"])
def test_a_title_has_one_line_a_note_may_have_several(end: str) -> None:
    assert refused(checked_title, f"one{end}another").startswith("a title has one line")
    assert checked_title(f"one{end}")
    assert checked_note(f"one{end}another")


@given(st.text(max_size=30))
def test_whatever_is_written_is_taken_or_refused(written: str) -> None:
    for check in (checked_title, checked_note):
        try:
            assert check(written) == written
        except ValueError as refusal:
            assert str(refusal)  # noqa: PT017  (what is refused is not what is tried here)


@given(st.text(alphabet="qxz", min_size=4, max_size=9))
def test_what_is_written_is_not_repeated_since_it_may_be_a_secret(secret: str) -> None:
    for written in (f"{{{secret}}}", f"{{job.{secret}}}", f"{{{secret}"):
        assert secret not in refused(checked_note, written)


# what becomes of it


@given(outside)
def test_what_fills_a_field_is_text_and_never_read_as_a_template(text: str) -> None:
    filled = note("<{job}>", {"job": text, "environment": "NEVER"})

    assert filled == clean(f"<{' '.join(text.split())}>"[:NOTE_LIMIT])


@given(templates, values)
def test_whatever_is_known_a_title_is_one_line_and_both_are_bounded(
    template: str, known: dict[str, str]
) -> None:
    filled, noted = title(template, known, "Recovered: "), note(template, known)

    assert len(filled) <= TITLE_LIMIT
    assert len(noted) <= NOTE_LIMIT
    assert filled == " ".join(filled.split())
    assert clean(noted) == noted


@pytest.mark.parametrize("template", ["{job.__class__}", "{0}", "{", "}", "{job!r}", "{job:9}"])
def test_what_was_never_checked_is_no_reason_to_fail(template: str) -> None:
    assert "Daily" not in title(template, VALUES)
    assert "class" not in note(template, VALUES)


def test_two_braces_are_one() -> None:
    assert title("{{job}} {{{job}}}", VALUES) == "{job} {Daily build}"


def test_what_is_not_known_leaves_no_gap_in_a_title() -> None:
    assert title("  {job}  {branch}   failed {nodes}", VALUES) == "Daily build failed"


@pytest.mark.parametrize("template", ["{branch}", " {branch} {commit} "])
def test_a_title_of_which_nothing_is_known_is_none(template: str) -> None:
    assert title(template, VALUES, "Recovered: ") == ""
    assert note(template, VALUES) == ""


def test_a_note_keeps_its_lines_and_what_fills_it_adds_none() -> None:
    written = "Look at:\n- {job}\n- {environment}\n"

    filled = note(written, {"job": "Daily\n\nbuild\r\n- x", "environment": "Production"})

    assert filled == "Look at:\n- Daily build - x\n- Production"


@pytest.mark.parametrize("field", ["job", "headline", "error"])
def test_what_is_long_is_cut_so_that_what_stands_behind_it_stays(field: str) -> None:
    filled = title(f"{{{field}}} {{{field}}}: {{state}}", {field: "x" * 100_000, "state": "failed"})

    assert filled == f"{'x' * 79}… {'x' * 79}…: failed"
    assert title(f"{{{field}}}", {field: "x" * 100_000}) == f"{'x' * (TITLE_LIMIT - 1)}…"


def test_what_stands_in_front_counts() -> None:
    filled = title("x" * 295 + "{job}", {"job": "y" * 400}, "Recovered: ")

    assert len(filled) <= TITLE_LIMIT
    assert filled == f"Recovered: {'x' * 288}…"


def test_an_address_that_does_not_fit_is_left_out_not_cut() -> None:
    link = "https://dbt.example/" + "x" * 2_000

    assert note("Look at {link}", {"link": link}) == "Look at"
    assert note("Look at {link}", {"link": link[:200]}) == f"Look at {link[:200]}"


@pytest.mark.parametrize(
    "nasty",
    [
        "<!channel> *b* `c` <b>x</b> & @here",
        "שלום",
        "👩‍👩‍👧",
        "a" * 100_000,
        "\x00\x1b[31mred\u202egnp",
    ],
)
def test_nasty_texts_are_put_in_clean_and_otherwise_as_they_are(nasty: str) -> None:
    for filled in (title("{job}: {state}", {"job": nasty, "state": "failed"}),):
        assert filled.endswith(": failed")
        assert clean(nasty)[:100] in filled
        assert not re.search("[\x00-\x1f\x7f\u202a-\u202e]", filled)


# in a configuration


FILE = """\
version: 1
dbt_cloud: {token: secret:dbt}
destinations:
  oncall: {kind: pagerduty, routing_key: secret:pd}
  revenue: {kind: mode, workspace: acme, report: r1, token: env:T, secret: env:S}
rules:
  - name: page
    when: {outcome: failed}
    %s
    then: [oncall]
  - {name: refresh, when: {outcome: succeeded}, then: [revenue]}
"""


def mistakes(text: str) -> str:
    with pytest.raises(Mistake) as raised:
        configuration.read(*parse(text, "f"))
    return str(raised.value)


def test_a_rule_may_word_what_it_tells() -> None:
    written = 'title: "[{environment}] {job}"\n    note: "See\\n{link}"\n    severity: critical'

    rule, other = configuration.read(*parse(FILE % written, "f")).rules

    assert vars(rule.words) == {
        "title": "[{environment}] {job}",
        "note": "See\n{link}",
        "severity": "critical",
    }
    assert vars(other.words) == {"title": "", "note": "", "severity": ""}


LIST = ", ".join(FIELDS)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "title: '{jobb} failed'",
            f"title: field 1 is not known; did you mean `job`? known are: {LIST}",
        ),
        (
            "note: '{job} {job.name}'",
            "note: field 2 is more than a name; did you mean `job`? known are: " + LIST,
        ),
        (
            "note: '{job'",
            "note: a brace stands alone: write a field as {job}, a brace as {{ or }}",
        ),
        ("title:", "title: this is empty; write a value, or leave the key out"),
        ("title: ''", "title: this is empty; write a value, or leave the key out"),
        ("note: ' '", "note: this is empty; write a value, or leave the key out"),
        ("title: 123", "title: write text here; what looks like a number goes in quotes"),
        ("title: [{job}]", "title: write text here; what looks like a number goes in quotes"),
        ("title: \"a\\nb\"", "title: a title has one line; what needs more is a `note`"),
        (f"title: {'x' * 201}", "title: this is too long; write at most 200 characters"),
        (f"note: {'x' * 1_001}", "note: this is too long; write at most 1,000 characters"),
        ("severity: fatal", "severity: write 'info', 'warning', 'error' or 'critical'"),
        ("severity:", "severity: this is empty; write a value, or leave the key out"),
        ("titel: x", "titel: unknown key; did you mean `title`?"),
    ],
)  # fmt: skip
def test_a_mistake_in_it_is_said_with_its_place(written: str, said: str) -> None:
    assert mistakes(FILE % written) == f"f:9:5: rules[0].{said}"


@pytest.mark.parametrize("key", ["title: x", "note: x", "severity: info"])
def test_words_that_nobody_is_told_are_a_mistake(key: str) -> None:
    beside = f"""\
{FILE % "alert: {{}}"}\
  - name: another
    {key}
    when: {{outcome: succeeded}}
    then: [revenue]
""".replace("{{}}", "{}")

    assert mistakes(beside) == (
        f"f:13:5: rules[2].{key.partition(':')[0]}: "
        "none of its destinations alerts or tells; leave this out"
    )


def test_a_rule_that_refreshes_and_tells_may_word_what_it_tells() -> None:
    text = FILE % "title: x"
    both = text.replace("{outcome: failed}", "{outcome: warned}").replace(
        "then: [oncall]", "then: [oncall, revenue]"
    )

    found: Any = configuration.read(*parse(both, "f"))

    assert found.rules[0].words.title == "x"
