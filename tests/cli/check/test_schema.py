"""The schema takes what the program takes, and refuses what it refuses, as far as a schema can."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from cli.check import schema
from shared.errors import Mistake
from subscriber import configuration, destinations
from subscriber.configuration import File
from subscriber.yaml_lines import parse
from tests.subscriber import test_configuration as mistakes

ROOT = Path(__file__).parents[3]
SCHEMA = schema.made()
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLE = (ROOT / "afterrun.example.yaml").read_text(encoding="utf-8")
PAGES = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]


def refused(text: str) -> list[str]:
    """Where the schema refuses `text`."""
    content, _ = parse(text, "f")
    return [each.json_path for each in VALIDATOR.iter_errors(content)]


def test_the_schema_that_is_kept_is_the_one_that_is_made() -> None:
    kept = (ROOT / schema.NAME).read_text(encoding="utf-8")

    assert kept == schema.text(), f"run: afterrun check --schema > {schema.NAME}"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_example_file_tells_editors_of_it() -> None:
    assert EXAMPLE.startswith(f"{schema.COMMENT}\n")


def test_the_example_file_is_right() -> None:
    assert refused(EXAMPLE) == []


def blocks() -> Iterator[str]:
    for page in PAGES:
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            keys = re.findall(r"(?m)^\w+(?=:)", block)
            if keys and set(keys) <= set(File.model_fields):
                yield block


@pytest.mark.parametrize("block", dict.fromkeys(blocks()))
def test_every_example_of_the_pages_is_right(block: str) -> None:
    part, _ = parse(block, "f")
    whole, _ = parse(mistakes.GOOD, "f")

    assert [each.message for each in VALIDATOR.iter_errors(whole | part)] == []


def test_the_pages_have_examples_of_every_kind() -> None:
    kinds = re.findall(r"\bkind: (\w+)", "".join(blocks()))

    assert set(kinds) >= set(destinations.names())
    assert len(list(blocks())) > 20


# what only the program can see: names that nothing bears, what keys have to do with each other, and
# what a value means
UNSEEN = re.compile(
    r"no destination bears|another (?:rule|owner) has|nothing to do when|counts no further runs"
    r"|from 10m to 28d|access URL|plain http|not a URL|an owner has no name|less than or equal"
)
TABLE: Any = mistakes.test_a_mistake_says_where_what_and_how_to_mend_it
CASES = TABLE.pytestmark[0].args[1]


@pytest.mark.parametrize(("instead_of", "written", "said"), CASES)
def test_a_mistake_is_marked_unless_only_the_program_can_see_it(
    instead_of: str, written: str, said: str
) -> None:
    found = refused(mistakes.GOOD.replace(instead_of, written))

    assert bool(found) is not bool(UNSEEN.search(said)) or "unknown key" in said


@pytest.mark.parametrize(
    "secret",
    [
        *("dbtc_0123456789abcdef", "0123456789abcdef0123456789abcdef", "secret:", "env:A B"),
        *("https://hooks.slack.com/services/T/B/x", "file:relative", "secret:a b", "Secret:a"),
    ],
)
def test_a_secret_that_is_written_as_it_is_is_marked(secret: str) -> None:
    text = mistakes.GOOD.replace("secret:pd", f"'{secret}'")

    assert refused(text) == ["$.destinations.oncall.routing_key"]


@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("kind: pagerduty", "kind: pager", "$.destinations.oncall.kind"),
        ("routing_key", "routingkey", "$.destinations.oncall"),
        ("token: env:T", "tokn: env:T", "$.destinations.revenue"),
        ("outcome: failed", "outcome: fail", "$.rules[0].when.outcome"),
        ("outcome: failed", "outcome: failed, jobs: 7", "$.rules[0].when"),
        ("name: page", "name: page, alert: {remind: daily}", "$.rules[0].alert.remind"),
        ("name: page", "name: page, alert: {auto_close: maybe}", "$.rules[0].alert.auto_close"),
        ("name: page", "name: page, title: '{jobb}'", "$.rules[0].title"),
        ("version: 1", "version: 2", "$.version"),
        ("then: [oncall]", "then: oncall", "$.rules[0].then"),
    ],
)
def test_a_mistake_is_marked_where_it_is(key: str, value: str, path: str) -> None:
    found = refused(mistakes.GOOD.replace(key, value, 1))

    assert found
    assert all(path.startswith(each) and each.count(".") > path.count(".") - 2 for each in found)


# Values that are tried in every field of every model: what the program takes, the schema takes.

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 587, 70_000, 1.0, 1.5, 2**63),
    *("", " ", "x", "X y", "7", " 7 ", "+7", "1_000", "1.0", "1.5", "2024", "a/b", "#x", "a\nb"),
    *("yes", "No", "TRUE", "off", "y", "t", "10m", " 2 h ", "0h", "00010s", "24", "7 d"),
    *("env:A", "secret:a@2", "secret:projects/p/secrets/a/versions/2", "file:/a b", "file:a"),
    *(" env:A ", "secret:a b", "https://x.example", "http://127.0.0.1:1", "smtp://127.0.0.1:1"),
    *("ada@shop.example", "Ada <ada@shop.example>", "U012AB3CD", "3.21", "shop::daily"),
    *("!ci", "! ci", "!!ci", "name:!x", "name:", "!name: ", "*", "{job}", "{x}", "{{x}}", "{"),
    *("cfafbeb1-8037-4d0c-896e-a46fb27ff229", "smtp.shop.example", "x" * 101, "x" * 1_001),
    *([], ["x"], ["x", 7], [7], ["env:A"], [""], [None], ["ada@shop.example"], [[]], ["failed"]),
    *({}, {"a": 1}, {"a": {"slack": "U012AB3CD"}}, {"per": "job"}, [{"table": "a"}], {"tag": "x"}),
]
ROOTS: list[type[BaseModel]] = [File, *map(destinations.kind, destinations.names())]
MODELS = {each.__name__: each for root in ROOTS for each in schema.models(root)}
FIELDS = [(name, field) for name, model in MODELS.items() for field in model.model_fields]


def of_field(name: str, field: str) -> dict[str, Any]:
    found: dict[str, Any] = (SCHEMA if name == "File" else SCHEMA["$defs"][name])["properties"]
    return {"$defs": SCHEMA["$defs"], **found[field]}


OF_FIELD = {each: Draft202012Validator(of_field(*each)) for each in FIELDS}
INSIDE = {"rules", "overrides", "destinations"}
"""Fields of the file that hold models, whose fields are tried by themselves."""


def takes(name: str, field: str, value: Any) -> bool:
    return not any(
        error["loc"][:1] == (field,) for error in schema.errors(MODELS[name], {field: value})
    )


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_what_the_program_takes_in_a_field_the_schema_takes(name: str, field: str) -> None:
    values = [*VALUES, *of_field(name, field).get("enum", ())]
    choices = of_field(name, field).get("anyOf", [of_field(name, field)])
    is_number = any(each.get("type") == "integer" for each in choices)

    wrong = [
        value
        for value in values
        if takes(name, field, value) and not OF_FIELD[name, field].is_valid(value)
        # true and false are numbers to the program: nobody means that
        if not (is_number and isinstance(value, bool))
    ]

    assert wrong == [] or field in INSIDE


@given(st.text(alphabet="{}job_id x\n", max_size=12))
def test_a_template_is_marked_only_where_the_program_refuses_it(text: str) -> None:
    if takes("Rule", "title", text):
        assert OF_FIELD["Rule", "title"].is_valid(text)
    if takes("Rule", "note", text):
        assert OF_FIELD["Rule", "note"].is_valid(text)


@given(st.text(max_size=12) | st.text(alphabet="!name: x*", max_size=8))
def test_a_pattern_and_a_name_are_marked_only_where_the_program_refuses_them(text: str) -> None:
    if takes("When", "job", text):
        assert OF_FIELD["When", "job"].is_valid(text)
    if takes("Rule", "name", text):
        assert OF_FIELD["Rule", "name"].is_valid(text)


@given(
    st.sampled_from(["secret:", "env:", "file:/", "secret:projects/p/secrets/", "", " secret:"]),
    st.text(max_size=6) | st.text(alphabet="aZ_-@/9 \n", max_size=8),
)
def test_a_reference_is_marked_only_where_the_program_refuses_it(begin: str, rest: str) -> None:
    if takes("DbtCloudSettings", "token", begin + rest):
        assert OF_FIELD["DbtCloudSettings", "token"].is_valid(begin + rest)


@given(st.text(max_size=8) | st.text(alphabet="a/ \n", max_size=5))
def test_a_destinations_name_is_marked_only_where_the_program_refuses_it(name: str) -> None:
    content, lines = parse(mistakes.GOOD, "f")
    content["destinations"][name] = content["destinations"].pop("oncall")
    content["rules"][0]["then"] = [name]
    try:
        configuration.read(content, lines)
    except Mistake:
        return

    assert VALIDATOR.is_valid(content)


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_key_is_described(name: str, field: str) -> None:
    assert len(of_field(name, field)["description"]) > 5


def test_no_key_that_is_not_known_is_taken_anywhere() -> None:
    objects = {"File": SCHEMA} | SCHEMA["$defs"]

    assert [name for name in MODELS if objects[name]["additionalProperties"] is not False] == []
