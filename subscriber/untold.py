"""Untold: the lines for what is not told one by one, but counted in a digest. Pure."""

from datetime import datetime, timedelta

from subscriber import message
from subscriber.digests import Line
from subscriber.episodes import Episode, passes
from subscriber.look import Look
from subscriber.silences import Silence
from subscriber.states import Slot

LATE_DIGEST = timedelta(minutes=5)  # from the first late event to the line that tells of all


def late(look: Look, destination: str, silence: Silence | None, headline: str) -> Line:
    """The line for an event that came too late; under a silence, in what the silence held back."""
    text = f"run {look.event.run_id}: {headline}"
    if silence is not None:
        return while_silenced(look.event.account_id, destination, silence, text, look.now)
    return Line(
        key=f"{look.event.account_id}/digest/late/{destination}",
        destination=destination,
        title="Events that came too late to be told one by one",
        text=text,
        due_at=look.now + LATE_DIGEST,
    )


def recovered(look: Look, slot: Slot, episode: Episode, silence: Silence | None) -> Line | None:
    """The line for a problem of which only a silence kept people from hearing; else None."""
    if not _was_held_back(episode, silence, look.now):
        return None
    bad = "1 bad run" if episode.runs == 1 else f"{episode.runs} bad runs"
    told = message.recovered(look.event, look.telling.link, episode, slot[1], "")
    text = f"{told.headline} after {bad}"
    return while_silenced(look.event.account_id, slot[0], silence, text, look.now)


def _was_held_back(episode: Episode, silence: Silence | None, now: datetime) -> bool:
    if episode.is_open:
        return False
    return episode.is_behind or (silence is not None and passes(episode, now, "").verb is not None)


def while_silenced(
    account_id: str, destination: str, silence: Silence | None, text: str, now: datetime
) -> Line:
    """Without a silence, it has just ended: the line is told as soon as a tick comes."""
    id_ = silence.id if silence else ""
    return Line(
        key=f"{account_id}/digest/silence/{id_}/{destination}",
        destination=destination,
        title=f"While silenced {silence.said()}" if silence else "While it was silenced",
        text=text,
        due_at=silence.ends_at if silence else now,
        silence=id_,
    )
