from dataclasses import replace

import pytest

from subscriber.actions import Handle, Verb
from subscriber.mail import threads
from subscriber.mail.threads import HANDLE_LIMIT
from tests.builders import an_action

DOMAIN = "example.com"
FOLLOWING = [Verb.UPDATE, Verb.REMIND, Verb.CLOSE]


def test_a_mail_has_the_same_id_each_time_and_no_other_mail_has_it() -> None:
    first, again = (threads.place(an_action(), DOMAIN) for _ in range(2))
    other = threads.place(an_action(key="1/oncall/job/7/101/open/1"), DOMAIN)

    assert first == again
    assert first.message_id != other.message_id
    assert first.message_id.startswith("<afterrun.")
    assert first.message_id.endswith("@example.com>")


@pytest.mark.parametrize("key", ["1/on call/<x>\r\nBcc: a@b/open/1", "ключ/open/1", "\ud800/1/1"])
def test_an_id_is_safe_whatever_the_key(key: str) -> None:
    own = threads.place(an_action(key=key), DOMAIN).message_id

    assert own.isascii()
    assert own.isprintable()
    assert " " not in own


@pytest.mark.parametrize("verb", [Verb.OPEN, Verb.TELL])
def test_what_opens_or_is_told_alone_answers_nothing(verb: Verb) -> None:
    assert threads.place(an_action(verb), DOMAIN).in_reply_to == ""


@pytest.mark.parametrize("verb", FOLLOWING)
def test_what_follows_answers_the_opening_even_if_nothing_is_kept_of_it(verb: Verb) -> None:
    opened = threads.place(an_action(Verb.OPEN), DOMAIN)

    follows = threads.place(an_action(verb), DOMAIN)

    assert follows.in_reply_to == opened.message_id
    assert follows.opened == ""


@pytest.mark.parametrize("verb", FOLLOWING)
@pytest.mark.parametrize("refused", [[], ["bob@example.com (550)"]])
def test_what_follows_keeps_the_id_and_the_subject_of_what_opened(
    verb: Verb, refused: list[str]
) -> None:
    handle = threads.handle("<former@old.example>", "orders failed", refused)

    follows = threads.place(replace(an_action(verb), opened=handle), DOMAIN)

    assert (follows.in_reply_to, follows.opened) == ("<former@old.example>", "orders failed")


def test_a_handle_of_another_kind_is_no_opening() -> None:
    action = replace(an_action(Verb.CLOSE), opened=Handle("C012/1503.0002"))

    assert threads.place(action, DOMAIN) == threads.place(an_action(Verb.CLOSE), DOMAIN)


def test_who_was_refused_is_kept_with_the_mail() -> None:
    kept = threads.handle("<1@example.com>", "orders failed", ["bob@example.com (550)"])

    assert kept.key == "<1@example.com> orders failed\nrefused: bob@example.com (550)"


def test_a_handle_is_no_longer_than_what_is_kept() -> None:
    many = [f"somebody-{i}@example.com (550)" for i in range(100)]

    kept = threads.handle("<1@example.com>", "orders failed", many)

    assert len(kept.key) <= HANDLE_LIMIT
    assert kept.key.startswith("<1@example.com> orders failed\n")
