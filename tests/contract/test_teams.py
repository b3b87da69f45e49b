"""What we post to Teams, and what the lab's Teams shows, against the published schema."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, FormatChecker
from pydantic import SecretStr

from lab import teams_card
from subscriber.destinations.teams import Teams
from tests.builders import a_node, a_told, an_action
from tests.contract import published
from tests.lab.test_teams_card import FACTS, OPEN, TEXT, a_card
from tests.subscriber.test_destinations.golden import CASES, a_case

PUBLISHED = ("1.2", "1.4", "1.5")


class Published:
    """The schema of one version, which does not know the extension `msteams`."""

    def __init__(self, version: str) -> None:
        schema = published.description(f"adaptive-cards/adaptive-card-{version}.0.schema.json")
        self._validator = Draft7Validator(schema, format_checker=FormatChecker())

    def refuses(self, card: Any) -> str:
        """Why, empty if it does not."""
        errors = self._validator.iter_errors(without_extension(card))
        return next((error.message[:300] for error in errors), "")


@pytest.fixture(scope="module", params=PUBLISHED)
def schema(request: pytest.FixtureRequest) -> Published:
    return Published(request.param)


@pytest.fixture(scope="module")
def newest() -> Published:
    return Published(PUBLISHED[-1])


def without_extension(card: Any) -> Any:
    """`card` and the cards in it without the key `msteams`."""
    if isinstance(card, list):
        return [without_extension(each) for each in card]
    if not isinstance(card, dict):
        return card
    return {key: without_extension(value) for key, value in card.items() if key != "msteams"}


def one_of_everything() -> dict[str, Any]:
    look = {"size": "Large", "weight": "Bolder", "fontType": "Monospace", "isSubtle": True}
    every = {"id": "x", "isVisible": True, "separator": True, "spacing": "Large"}
    image = {"type": "Image", "url": "https://x.example/y.png", "altText": "y", "size": "Small"}
    column = {"type": "Column", "items": [image], "style": "good", "width": "auto"}
    inner = {"type": "AdaptiveCard", "version": "1.4", "body": [TEXT]}
    return a_card(
        body=[
            TEXT | look | every | {"maxLines": 2, "horizontalAlignment": "left", "height": "auto"},
            FACTS,
            {"type": "Container", "items": [TEXT], "style": "emphasis", "bleed": True},
            {"type": "ColumnSet", "columns": [column], "style": "accent"},
            {"type": "ActionSet", "actions": [OPEN | {"iconUrl": "https://x.example/i.png"}]},
        ],
        actions=[
            OPEN | {"style": "positive"},
            {"type": "Action.ShowCard", "title": "More", "card": inner},
            {"type": "Action.ToggleVisibility", "title": "More", "targetElements": ["x"]},
        ],
        fallbackText="orders failed",
        speak="orders failed",
        lang="en",
    )


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each part of `value`, but for the extension."""
    if above:
        yield above
    if not isinstance(value, dict | list):
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if key != "msteams":
            yield from places(part, *above, key)


def test_one_of_everything_is_shown_and_published(schema: Published) -> None:
    card = one_of_everything()

    assert list(teams_card.errors_in_card(card)) == []
    assert schema.refuses(card) == ""


def with_part(place: tuple[Any, ...], *instead: Any) -> dict[str, Any]:
    """One of everything with something else in `place`, or nothing there."""
    card = copy.deepcopy(one_of_everything())
    part: Any = card
    for key in place[:-1]:
        part = part[key]
    if instead:
        part[place[-1]] = instead[0]
    else:
        del part[place[-1]]
    return card


@pytest.mark.parametrize("odd", [None, 7, True, "odd", ["odd"], {"odd": 1}], ids=repr)
def test_what_the_published_schema_refuses_is_not_shown(newest: Published, odd: Any) -> None:
    cards = {place: with_part(place, odd) for place in places(one_of_everything())}

    shown = {place for place, card in cards.items() if not [*teams_card.errors_in_card(card)]}

    assert {place: newest.refuses(cards[place]) for place in shown} == dict.fromkeys(shown, "")


def test_what_the_published_schema_demands_is_demanded(newest: Published) -> None:
    cards = {place: with_part(place) for place in places(one_of_everything())}

    shown = {place for place, card in cards.items() if not [*teams_card.errors_in_card(card)]}

    assert {place: newest.refuses(cards[place]) for place in shown} == dict.fromkeys(shown, "")


TEXTS = st.text(max_size=20)
FLAGS = st.booleans()
WORDS = st.sampled_from(["default", "Small", "LARGE", "good", "Attention", "Bolder", "auto", "odd"])
BLOCKS = st.fixed_dictionaries(
    {"type": st.just("TextBlock")},
    optional={
        "text": TEXTS,
        "wrap": FLAGS | st.just("true"),
        "color": WORDS,
        "size": WORDS,
        "weight": WORDS,
        "height": WORDS,
        "maxLines": st.integers(-1, 3) | FLAGS,
        "separator": FLAGS,
        "odd": TEXTS,
    },
)
FACT = st.fixed_dictionaries({"title": TEXTS}, optional={"value": TEXTS, "type": st.just("Fact")})
SETS = st.fixed_dictionaries({"type": st.just("FactSet"), "facts": st.lists(FACT, max_size=2)})
ELEMENTS = st.recursive(
    BLOCKS | SETS,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["Container", "Column"]), "items": st.lists(inner, max_size=2)},
        optional={"style": WORDS},
    ),
    max_leaves=4,
)
ACTIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["Action.OpenUrl", "Action.Submit"])},
    optional={
        "title": TEXTS,
        "url": st.sampled_from(["https://x.example/y", "/y", ""]),
        "style": WORDS,
    },
)


@given(body=st.lists(ELEMENTS, max_size=2), actions=st.lists(ACTIONS, max_size=1))
def test_whatever_is_shown_is_valid_by_the_published_schema(
    newest: Published, body: Any, actions: Any
) -> None:
    card = a_card(body=body, actions=actions)

    if not list(teams_card.errors_in_card(card)):
        assert newest.refuses(card) == ""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bare_card", [False, True])
def test_what_we_post_is_a_valid_card_of_its_version(case: str, *, bare_card: bool) -> None:
    teams = Teams(webhook_url=SecretStr("env:FLOW"), bare_card=bare_card)

    told = teams.told(a_case("teams", case))

    card = told if bare_card else told["attachments"][0]["content"]
    assert card["version"] == "1.4"
    assert Published("1.4").refuses(card) == ""


@settings(max_examples=40)
@given(text=TEXTS, link=TEXTS)
def test_whatever_we_post_is_a_valid_card(newest: Published, text: str, link: str) -> None:
    node = a_node(name=text, message=text, owner=text, path=text)
    message = a_told(headline=text, note=text, text=text, link=link, job_link=text, nodes=(node,))

    told = Teams(webhook_url=SecretStr("env:FLOW"), bare_card=True).told(an_action(message=message))

    assert newest.refuses(told) == ""
