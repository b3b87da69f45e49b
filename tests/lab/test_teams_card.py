from collections.abc import Mapping
from typing import Any

import pytest

from lab import teams_card

URL = "https://cloud.getdbt.com/deploy/1/projects/9/runs/100"
TEXT = {"type": "TextBlock", "text": "orders failed", "wrap": True, "color": "Attention"}
FACTS = {"type": "FactSet", "facts": [{"title": "Job", "value": "Daily build"}]}
OPEN = {"type": "Action.OpenUrl", "title": "Open run", "url": URL}


def a_card(**fields: Any) -> dict[str, Any]:
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [TEXT, FACTS],
        "actions": [OPEN],
        **fields,
    }


def a_message(card: Any = None, **fields: Any) -> dict[str, Any]:
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": a_card() if card is None else card,
        **fields,
    }
    return {"type": "message", "attachments": [attachment]}


def errors(card: Any) -> list[str]:
    return list(teams_card.errors_in_card(card))


def test_a_message_with_a_card_is_posted() -> None:
    assert list(teams_card.errors_in_message(a_message())) == []


@pytest.mark.parametrize("message", [{"text": "orders failed"}, [], None, {"attachments": None}])
def test_a_message_without_attachments_fails_the_run(message: Any) -> None:
    (error,) = teams_card.errors_in_message(message)

    assert "'attachments' is of type 'Null'" in error


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (a_message() | {"type": "Message"}, "message.type"),
        ({"type": "message", "attachments": []}, "message.attachments"),
        ({"type": "message", "attachments": ["card"]}, "attachments[0]"),
        (a_message(contentType="application/json"), "attachments[0].contentType"),
        (a_message(contentUrl=URL), "attachments[0].contentUrl"),
        (a_message(name="card"), "attachments[0]: name"),
        (a_message({"type": "MessageCard"}), "attachments[0].content: Property 'type'"),
        (a_message(a_card(version="1.9")), "attachments[0].content.version"),
    ],
)
def test_an_envelope_is_exact(message: Any, place: str) -> None:
    (error,) = teams_card.errors_in_message(message)

    assert error.startswith(place)


@pytest.mark.parametrize(
    "body",
    [
        [],
        [TEXT | {"size": "ExtraLarge", "weight": "bolder", "spacing": "None", "maxLines": 2}],
        [{"type": "Container", "style": "emphasis", "items": [TEXT, FACTS]}],
        [{"type": "ColumnSet", "columns": [{"type": "Column", "items": [TEXT], "width": "auto"}]}],
        [{"type": "Image", "url": f"{URL}.png", "altText": "a picture"}],
        [{"type": "ActionSet", "actions": [OPEN]}],
        [TEXT | {"id": "more", "isVisible": False, "separator": True}],
    ],
)
def test_what_teams_shows_is_no_error(body: Any) -> None:
    assert errors(a_card(body=body)) == []


@pytest.mark.parametrize(
    "action",
    [
        OPEN,
        {"type": "Action.ShowCard", "title": "More", "card": {"type": "AdaptiveCard", "body": []}},
        {"type": "Action.ToggleVisibility", "title": "More", "targetElements": ["more"]},
    ],
)
def test_the_actions_that_work_in_a_posted_message_are_no_error(action: Any) -> None:
    assert errors(a_card(actions=[action])) == []


@pytest.mark.parametrize(
    ("element", "error"),
    [
        (TEXT | {"wrap": "true"}, ".wrap: must be true or false"),
        (TEXT | {"text": 7}, ".text: must be a string"),
        ({"type": "TextBlock"}, ".text: is missing"),
        (TEXT | {"colour": "good"}, ".colour: is unknown"),
        (TEXT | {"color": "red"}, ".color: must be one of"),
        (TEXT | {"maxLines": "2"}, ".maxLines: must be a whole number"),
        (TEXT | {"maxLines": True}, ".maxLines: must be a whole number"),
        ({"type": "FactSet"}, ".facts: is missing"),
        ({"type": "FactSet", "facts": {}}, ".facts: must be an array"),
        ({"type": "FactSet", "facts": ["Job"]}, ".facts[0]: must be an object"),
        ({"type": "FactSet", "facts": [{"title": "Job"}]}, ".facts[0].value: is missing"),
        ({"type": "Container", "items": [TEXT | {"wrap": 1}]}, ".items[0].wrap: must be"),
        ({"type": "ColumnSet", "columns": [TEXT]}, ".columns[0]: must be an object of type Column"),
        ({"type": "Image", "url": "picture.png"}, ".url: must be an absolute https URL"),
        ({"type": "Input.Text", "id": "x"}, ": must be an object of type"),
        ("orders failed", ": must be an object of type"),
        ({"type": ["TextBlock"]}, ": must be an object of type"),
    ],
)
def test_what_teams_cannot_show_is_named_with_its_place(element: Any, error: str) -> None:
    (found,) = errors(a_card(body=[element]))

    assert found.startswith(f".body[0]{error}")


@pytest.mark.parametrize(
    "url",
    ["", "/deploy/1", "http://example.com", "javascript:alert(1)", "https://", "https://[", 7],
)
def test_a_link_that_is_no_absolute_https_url_breaks_the_card(url: Any) -> None:
    assert errors(a_card(actions=[OPEN | {"url": url}])) == [
        ".actions[0].url: must be an absolute https URL"
    ]


@pytest.mark.parametrize("kind", ["Action.Submit", "Action.Execute", "Action.Http"])
def test_an_action_that_does_nothing_in_a_posted_message_is_an_error(kind: str) -> None:
    (found,) = errors(a_card(actions=[{"type": kind, "title": "Acknowledge"}]))

    assert found.startswith(".actions[0]: must be an object of type Action.OpenUrl")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"msteams": {"width": "wide"}}, ".msteams.width"),
        ({"msteams": {"height": "Full"}}, ".msteams.height"),
        ({"body": {}}, ".body"),
        ({"title": "orders"}, ".title"),
        ({"version": 1.4}, ".version"),
        ({"actions": [{"type": "Action.ShowCard", "card": {}}]}, ".actions[0].card: Property"),
        (
            {"actions": [{"type": "Action.ShowCard", "card": a_card(body=[{}])}]},
            ".actions[0].card.body[0]",
        ),
    ],
)
def test_a_card_holds_nothing_else(fields: Mapping[str, Any], place: str) -> None:
    assert errors(a_card(**fields))[0].startswith(place)


def test_the_title_of_a_card_is_its_first_text() -> None:
    assert teams_card.title(a_card(body=[FACTS, TEXT])) == "orders failed"
    assert teams_card.title(a_card(body=[])) == ""
