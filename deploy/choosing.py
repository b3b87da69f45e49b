"""Which steps of a deployment are meant by --only and --from. Pure."""

from collections.abc import Iterable, Sequence

from deploy.step import Step
from deploy.steps import PARTS
from shared.errors import Mistake


def chosen(steps: Iterable[Step], only: Sequence[str], start: str) -> list[Step]:
    """The steps of the parts `only`, if any are named, from the part `start` on."""
    names = list(PARTS)
    for name in (*only, *([start] if start else [])):
        if name not in names:
            raise Mistake(f"{name}: there is no such part; they are {', '.join(names)}")
    begin = names.index(start) if start else 0
    kept = {name for name in names[begin:] if not only or name in only}
    return [step for step in steps if step.part in kept]
