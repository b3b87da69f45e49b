"""Payload: the exact request in which a destination would be told an action. Pure."""

from subscriber.actions import Action
from subscriber.configuration import Configuration
from subscriber.destination import Destination
from subscriber.owners import find


def payload(configuration: Configuration, action: Action) -> str:
    """What would go out; empty if the destination is no longer configured.

    Holds references in place of secrets.
    """
    told = addressed(configuration, action)
    return told.shown(action) if told else ""


def addressed(configuration: Configuration, action: Action) -> Destination | None:
    """The action's destination, reaching and calling the owners whose it is, as a delivery does."""
    found = configuration.destinations.get(action.destination)
    if found is None:
        return None
    owner = find(configuration.owners, action.owner)
    called = [find(configuration.owners, name) for name in action.owners]
    reached = found.for_owner(owner) if owner else found
    return reached.mentioning([each for each in called if each is not None])
