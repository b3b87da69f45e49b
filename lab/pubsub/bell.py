"""A bell: wakes the coroutines that wait for something to have changed."""

import asyncio
import math


class Bell:
    """For one event loop, and its thread only. Who waits looks again at what it waits for."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        """Return when it rings, or after `timeout_s` (which may be infinite)."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(None if math.isinf(timeout_s) else max(0.0, timeout_s)):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)
