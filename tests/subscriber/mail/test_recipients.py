import pytest

from subscriber.actions import Handle, Unfinished
from subscriber.mail import mailboxes
from subscriber.mail.recipients import SoFar
from subscriber.mail.smtp_line import SmtpReply
from subscriber.outbound import Busy, Refused

ANNE, BOB, ZOE = (mailboxes.read(f"{name}@example.com") for name in ("anne", "bob", "zoë"))
ALL = [ANNE, BOB, ZOE]
NEVER, LATER = SmtpReply(550, ("5.1.1 No such mailbox",)), SmtpReply(451, ("4.7.1 Later",))


def refused(**who: SmtpReply) -> dict[str, SmtpReply]:
    return {f"{name}@example.com": reply for name, reply in who.items()}


def said(answers: dict[str, SmtpReply]) -> dict[str, str]:
    return {who: f"{who}: {reply.code}" for who, reply in answers.items()}


def test_at_first_everybody_is_left() -> None:
    assert SoFar.of(None).left(ALL) == ALL


def test_who_has_it_and_who_never_will_is_not_left_for_the_next_try() -> None:
    after = SoFar().and_now(ALL, refused(anne=NEVER, bob=LATER))

    again = SoFar.of(after.handle)

    assert again == after
    assert again.left(ALL) == [BOB]
    assert again.count == 1
    assert again.refused(ALL) == ["anne@example.com (550)"]


def test_a_try_adds_to_what_was_before() -> None:
    first = SoFar().and_now(ALL, refused(anne=LATER, bob=LATER))

    second = first.and_now([ANNE, BOB], refused(bob=NEVER))

    assert second.left(ALL) == []
    assert (second.count, second.refused(ALL)) == (2, ["bob@example.com (550)"])


def test_somebody_new_in_the_configuration_is_left() -> None:
    before = SoFar().and_now([ANNE], {})

    assert before.left(ALL) == [BOB, ZOE]


def test_capital_letters_make_nobody_else() -> None:
    before = SoFar().and_now([mailboxes.read("Anne@Example.com")], {})

    assert before.left([ANNE]) == []


def test_a_hundred_recipients_fit_what_is_kept() -> None:
    many = [mailboxes.read(f"{'x' * 60}{i}@example.com") for i in range(100)]
    answers = {each.address: NEVER for each in many[:50]}

    after = SoFar().and_now(many, answers)

    assert len(after.handle.key) <= 2_000
    assert SoFar.of(after.handle) == after


@pytest.mark.parametrize("key", ["", "nonsense", "C012/1503.0002", ":::  ::"])
def test_a_handle_that_says_nothing_of_recipients_leaves_them_all(key: str) -> None:
    assert SoFar.of(Handle(key)).left(ALL) == ALL


def test_if_some_have_it_and_others_are_to_wait_it_is_unfinished() -> None:
    answers = refused(bob=LATER, zoë=NEVER)
    after = SoFar().and_now(ALL, answers)

    with pytest.raises(Unfinished, match="1 of 3 recipients have it") as raised:
        after.check(answers, said(answers), 3)

    assert raised.value.so_far == after.handle
    assert raised.value.retry_after_s == 60
    assert "bob@example.com: 451" in str(raised.value)


def test_if_nobody_has_it_yet_it_is_tried_again_as_a_whole() -> None:
    answers = refused(anne=NEVER, bob=LATER, zoë=LATER)

    with pytest.raises(Busy, match=r"bob@example\.com: 451"):
        SoFar().and_now(ALL, answers).check(answers, said(answers), 3)


def test_if_nobody_will_ever_have_it_it_is_refused() -> None:
    answers = refused(anne=NEVER, bob=NEVER, zoë=NEVER)

    with pytest.raises(Refused, match="so were all 3 recipients") as raised:
        SoFar().and_now(ALL, answers).check(answers, said(answers), 3)

    assert raised.value.status == 550


def test_if_somebody_has_it_and_nobody_is_to_wait_it_is_done() -> None:
    answers = refused(anne=NEVER)
    after = SoFar().and_now(ALL, answers)

    after.check(answers, said(answers), 3)

    assert after.gone_without(answers) == ["anne@example.com"]
