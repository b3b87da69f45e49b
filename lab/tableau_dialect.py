"""Tableau's two dialects: what is said is the same in XML, which is the default, and in JSON.

In both, attributes are texts; a list of elements is a list under their name.

Source: https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_fundamentals.htm
"""

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from starlette.responses import Response

JSON, XML = "application/json", "application/xml"
NAMESPACE = "http://tableau.com/api"
_TEXTS = frozenset({"summary", "detail", "notes", "restApiVersion", "value"})
"""What stands between tags, where all else is an attribute."""


class Unreadable(Exception):
    """The body holds no request; the message is for people."""


def read(content_type: str, body: bytes) -> Mapping[str, Any]:
    """What the request holds, in the form of JSON. Raises Unreadable."""
    if not body.strip():
        raise Unreadable("The request has no body, where an element is to be")
    if content_type.partition(";")[0].strip().lower() == JSON:
        return _object(body)
    return _element(body)


def answer(accept: str, status: int, told: Mapping[str, Any]) -> Response:
    """`told` in the dialect that `accept` asks for."""
    if JSON in accept.lower():
        return Response(json.dumps(told), status, media_type=f"{JSON};charset=UTF-8")
    root = ElementTree.Element("tsResponse", xmlns=NAMESPACE)
    _put(root, told)
    content = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return Response(content, status, media_type=f"{XML};charset=UTF-8")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("The body is not JSON") from None
    if not isinstance(asked, dict):
        raise Unreadable("The body is not an object")
    return asked


def _element(body: bytes) -> Mapping[str, Any]:
    if b"<!DOCTYPE" in body:
        raise Unreadable("The body defines a document type")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 (no document type, so nothing expands)
    except ElementTree.ParseError:
        raise Unreadable("The body is not XML; JSON is to be said in Content-Type") from None
    if _name(root) != "tsRequest":
        raise Unreadable("The root is not the element tsRequest")
    return _said(root)


def _said(element: ElementTree.Element) -> dict[str, Any]:
    return dict(element.attrib) | {_name(child): _said(child) for child in element}


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _put(element: ElementTree.Element, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        if isinstance(value, Mapping):
            _put(ElementTree.SubElement(element, name), value)
        elif isinstance(value, list):
            for each in value:
                _put(ElementTree.SubElement(element, name), each)
        elif name in _TEXTS:
            ElementTree.SubElement(element, name).text = str(value)
        else:
            element.set(name, str(value))
