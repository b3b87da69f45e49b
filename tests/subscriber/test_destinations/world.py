"""A destination's world, which each kind's test module makes: its stand-in, served."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.faults import Faults
from subscriber.actions import Action, Handle
from subscriber.destination import Destination
from subscriber.outbound import Outbound


@dataclass(frozen=True)
class World:
    """`destination` points to the stand-in and holds its secrets; `carried_out` counts there."""

    destination: Destination
    action: Action
    faults: Faults
    carried_out: Callable[[], int]

    def deliver(self) -> Handle:
        return self.destination.deliver(self.action, Outbound(read_timeout_s=2))
