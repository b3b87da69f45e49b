"""The kinds of destinations: each file of this folder is one. There is no list to extend."""

import importlib
import pkgutil

from subscriber.destination import Destination


def names() -> list[str]:
    """Every kind there is, in alphabetical order; imports none of them."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def kind(name: str) -> type[Destination]:
    """The class of the kind `name`, imported now: only kinds that are configured cost a start.

    Raises KeyError if there is no such kind.
    """
    if name not in names():
        raise KeyError(name)
    module = importlib.import_module(f"{__name__}.{name}")
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Destination) and value is not Destination
    )
    return found
