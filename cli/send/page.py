"""What was sent to a receiver and answered, or would be sent, as people and programs see it."""

from cli import output
from cli.output import Cell, Own
from cli.send import sending
from cli.send.posting import Posting
from cli.send.sending import Answer
from cli.webhooks import receiving


def show(posting: Posting, signer: str, answer: Answer) -> None:
    is_as_it_should = receiving.is_taken(answer.status) if signer else answer.status == 401
    output.facts(
        [
            ("sent", posting.said),
            ("event", posting.event_id),
            ("run", posting.run_id),
            ("to", posting.url),
            ("signed", Own(f"with {signer}") if signer else "no"),
            ("answer", Cell(_meaning(signer, answer), "good" if is_as_it_should else "bad")),
            ("says", answer.body[:500]),
            ("took", f"{answer.took_s * 1000:,.0f} ms"),
        ]
    )


def _meaning(signer: str, answer: Answer) -> str:
    if not signer and answer.status == 401:
        return "answered 401, as it should: it was not signed"
    if not signer and receiving.is_taken(answer.status):
        return f"answered {answer.status} without a signature: anybody can send events there"
    return answer.why or receiving.meaning(answer.status, answer.body)


def as_data(posting: Posting, signer: str, answer: Answer) -> dict[str, object]:
    return {
        "event_id": posting.event_id,
        "run_id": posting.run_id,
        "url": posting.url,
        "signed_with": signer or None,
        "status": answer.status,
        "meaning": _meaning(signer, answer),
        "answer": answer.body,
        "took_ms": round(answer.took_s * 1000, 1),
    }


def plan(posting: Posting, signer: str, *, json: bool) -> None:
    headers = ["Content-Type", *(["Authorization"] if signer else [])]
    by_hand = sending.curl(posting.url, is_signed=bool(signer))
    if json:
        output.data(
            {
                "url": posting.url,
                "headers": headers,
                "signed_with": signer or None,
                "body": posting.body.decode("utf-8", "replace"),
                "curl": by_hand,
            }
        )
        return
    output.raw(posting.body.decode("utf-8", "replace"))
    output.hint(f"It would go to {posting.url} with the headers {', '.join(headers)}.")
    if signer:
        output.hint(
            Own(
                "By hand, with that in body.json; $SIGNATURE is the hex HMAC-SHA256 of the file's "
                f"bytes, with the secret at {signer}:"
            )
        )
    else:
        output.hint("By hand, with that in body.json:")
    output.command(by_hand)
