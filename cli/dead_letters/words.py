"""Dead letters in words: what each is about, what it holds, what becomes of it. Pure."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from subscriber import page
from subscriber.actions import Action, WrittenByNewer
from subscriber.dead_letter import DeadLetter, Sort
from subscriber.dead_letter_replay import Outcome, Replayed

_TEXT_LIMIT = 5_000  # characters of a message that is none of ours
_SORTS = {
    Sort.ACTION: "what should have been done",
    Sort.EVENT: "an event that could not be decided on",
    Sort.UNREADABLE: "a message that tells of no run",
    Sort.UNDELIVERED: "a message that no subscriber took",
}
_WOULD = {
    Outcome.REOPENED: "would be reopened",
    Outcome.PUBLISHED: "would be published again",
    Outcome.TAKEN: "would be taken away",
    Outcome.KEPT: "would be kept",
    Outcome.NOT_FOUND: "not found",
}


def about(letter: DeadLetter) -> str:
    """In some words what a letter is about: where it should go, or which event it is."""
    match letter.sort:
        case Sort.ACTION:
            destination = letter.attributes.get("destination") or letter.key
            return f"{destination} {letter.attributes.get('verb', '')}".strip()
        case Sort.EVENT:
            return f"event {letter.key.partition('/event/')[2] or letter.key}"
        case _:
            return f"{letter.sort} {letter.key}".strip()


def what_it_is(letter: DeadLetter) -> str:
    return _SORTS[letter.sort]


def names(letter: DeadLetter) -> str:
    """What `afterrun event` knows it by; empty if nothing."""
    return letter.key if letter.names_work else letter.attributes.get("run_id", letter.key)


def content(letter: DeadLetter, data: bytes) -> str:
    """What a letter holds, to be read: of an action what should have been told."""
    text = data.decode("utf-8", "replace")
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return text[:_TEXT_LIMIT]
    if letter.sort is Sort.ACTION and isinstance(held, dict):
        try:
            return "\n".join(_told(Action.from_body(held)))
        except (WrittenByNewer, KeyError, TypeError, ValueError, AttributeError):
            pass
    return json.dumps(held, indent=2, ensure_ascii=False)[:_TEXT_LIMIT]


def became(result: Replayed, *, dry_run: bool) -> str:
    """What became, or would become, of a letter, and why."""
    word = _WOULD[result.outcome] if dry_run else str(result.outcome)
    # a message that is published again needs no reason
    is_plain = result.outcome is Outcome.PUBLISHED and ";" not in result.reason
    return word if is_plain or not result.reason else f"{word}: {result.reason}"


def counted(results: Sequence[Replayed], *, dry_run: bool) -> str:
    """How many letters had each outcome."""
    parts = []
    for outcome in Outcome:
        count = sum(each.outcome is outcome for each in results)
        if count:
            parts.append(f"{count} {_WOULD[outcome] if dry_run else outcome}")
    return ", ".join(parts)


def is_left(results: Sequence[Replayed]) -> bool:
    """Whether one could not be replayed."""
    return any(each.outcome in (Outcome.KEPT, Outcome.NOT_FOUND) for each in results)


def data(letter: DeadLetter) -> dict[str, Any]:
    """A letter as JSON, without what it holds."""
    return {
        "id": letter.id,
        "published_at": letter.published_at,
        "sort": str(letter.sort),
        "about": about(letter),
        "key": letter.key or None,
        "reason": letter.reason,
        "attributes": dict(letter.attributes),
        "size_bytes": letter.size_bytes,
    }


def replay_data(result: Replayed) -> dict[str, Any]:
    letter = result.letter
    return {
        "id": result.id,
        "outcome": str(result.outcome),
        "reason": result.reason,
        "about": about(letter) if letter else None,
        "key": letter.key if letter else None,
    }


def _told(action: Action) -> Iterator[str]:
    read = page.page(action)
    yield read.headline
    if read.note:
        yield read.note
    for label, said in read.changes:
        yield f"{label}: {said}"
    for item in read.items:
        yield ""
        yield f"{item.title} ({item.status})"
        yield from (f"  {line}" for line in item.error.splitlines())
        yield from (f"  {label}: {said}" for label, said in item.facts)
    if read.more:
        yield read.more
    if read.text:
        yield ""
        yield read.text
    yield ""
    yield from (f"{label}: {said}" for label, said in read.facts)
    yield from (f"{link.title}: {link.url}" for link in read.links)
