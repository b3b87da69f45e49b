"""Lists in pages, as callers ask for them."""

from collections.abc import Iterable

PAGE_LIMIT = 1_000


def page(names: Iterable[str], size: int, token: str) -> tuple[list[str], str]:
    """At most `size` of `names`, in order, after the one that is `token`; and the next token.

    A size of 0 is as many as there may be. The token is empty on the last page.
    """
    rest = sorted(name for name in names if name > token)
    wanted = min(size, PAGE_LIMIT) if size > 0 else PAGE_LIMIT
    return rest[:wanted], rest[wanted - 1] if len(rest) > wanted else ""
