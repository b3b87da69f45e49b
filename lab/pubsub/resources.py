"""Topics and subscriptions: made, found, changed and deleted by name."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from lab.pubsub import names
from lab.pubsub.backlog import Backlog
from lab.pubsub.bell import Bell
from lab.pubsub.refusals import already_exists, not_found
from lab.pubsub.settings import Settings


@dataclass
class Subscription:
    """`described` is what callers are shown; the bell rings when its backlog or settings change."""

    name: str
    topic: str
    described: Any
    backlog: Backlog
    bell: Bell = field(default_factory=Bell)
    is_deleted: bool = False

    @property
    def settings(self) -> Settings:
        return self.backlog.settings


class Resources:
    """All topics and subscriptions of the server, each under its full name."""

    def __init__(self) -> None:
        self.topics: dict[str, Any] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self._leases = itertools.count(1)

    def topic(self, name: str) -> Any:
        """The topic's description. Raises Refused if there is none."""
        if name not in self.topics:
            raise not_found(names.short(name))
        return self.topics[name]

    def create_topic(self, name: str, described: Any) -> None:
        names.check("topics", name)
        if name in self.topics:
            raise already_exists(names.short(name))
        self.topics[name] = described

    def delete_topic(self, name: str) -> None:
        """Its subscriptions stay, with what they hold."""
        self.topic(name)
        del self.topics[name]
        for subscription in self.of_topic(name):
            subscription.topic = subscription.described.topic = names.DELETED_TOPIC

    def of_topic(self, name: str) -> list[Subscription]:
        return [each for each in self.subscriptions.values() if each.topic == name]

    def subscription(self, name: str) -> Subscription:
        """Raises Refused if there is none."""
        if name not in self.subscriptions:
            raise not_found(names.short(name))
        return self.subscriptions[name]

    def create_subscription(self, described: Any, settings: Settings) -> Subscription:
        """Raises Refused if it exists, or if its topic or dead-letter topic does not."""
        name = described.name
        names.check("subscriptions", name)
        if name in self.subscriptions:
            raise already_exists(names.short(name))
        self.topic(described.topic)
        self._check_dead_letter_topic(settings)
        created = Subscription(name, described.topic, described, Backlog(settings, self._leases))
        self.subscriptions[name] = created
        return created

    def change(self, subscription: Subscription, described: Any, settings: Settings) -> None:
        """Raises Refused if a dead-letter topic is newly named that does not exist."""
        if settings.dead_letters != subscription.settings.dead_letters:
            self._check_dead_letter_topic(settings)
        subscription.described = described
        subscription.backlog.settings = settings
        subscription.bell.ring()

    def delete_subscription(self, name: str) -> None:
        subscription = self.subscription(name)
        del self.subscriptions[name]
        subscription.is_deleted = True
        subscription.bell.ring()

    def _check_dead_letter_topic(self, settings: Settings) -> None:
        if settings.dead_letters is not None:
            self.topic(settings.dead_letters.topic)
