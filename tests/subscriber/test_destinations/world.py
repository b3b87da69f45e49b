"""A destination's world, which each kind's test module makes: its stand-in, served.

Read by test_every_destination.py, which holds every kind to the same promises.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lab.faults import Faults
from subscriber.actions import Action, Handle
from subscriber.destination import Destination
from subscriber.examined import Examined
from subscriber.outbound import Outbound


@dataclass(frozen=True)
class World:
    """`destination` points to the stand-in and holds its secrets; `carried_out` counts there.

    `faults` happen to the requests of the stand-in; None for a kind that is not over HTTP. `bodies`
    are what the vendor answers with a 2xx to say no all the same, if it does so. `has_handle` says
    whether a delivery answers anything to keep.
    """

    destination: Destination
    action: Action
    carried_out: Callable[[], int]
    faults: Faults | None = None
    has_handle: bool = True
    noes: tuple[object, ...] = ()
    path: str = ""
    """Part of the path of the request that carries it out, where others go before it."""

    def deliver(self, action: Action | None = None) -> Handle:
        return self.destination.deliver(action or self.action, Outbound(read_timeout_s=2))

    def examine(self) -> Examined:
        return self.destination.examine(Outbound(read_timeout_s=2))
