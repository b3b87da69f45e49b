"""Bars: numbers as a row of small bars, for one line of text. Pure."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
NONE = "·"
WIDTH = 45  # at most so many bars


def bars(counts: Sequence[int], highest: int, *, plain: bool = False) -> str:
    """A bar for each of `counts`, `highest` being the full one; `plain` is digits, up to 9."""
    if plain:
        return "".join(str(min(count, 9)) if count else "." for count in counts)
    return "".join(
        BARS[-(-count * len(BARS) // max(highest, 1)) - 1] if count else NONE for count in counts
    )


def gathered(counts: Sequence[int], width: int = WIDTH) -> tuple[list[int], int]:
    """`counts` as at most `width` sums of neighbours, and how many make one."""
    size = max(1, -(-len(counts) // width))
    return [sum(counts[n : n + size]) for n in range(0, len(counts), size)], size
