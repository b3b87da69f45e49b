"""One client's SMTP session: aiosmtpd's, to whose commands faults happen."""

import asyncio
import logging
from asyncio import BaseTransport, Future
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiosmtpd.smtp import SMTP

from lab.mail_faults import MailFault, MailFaults


class MailSession(SMTP):
    """`handler` decides on the commands, in aiosmtpd's words.

    The session is in `connected` while its client is; `gone` is done when the client is.
    """

    def __init__(
        self,
        handler: object,
        faults: MailFaults,
        connected: "set[MailSession]",
        **smtp: Any,
    ) -> None:
        # it warns of a field of its own, which it sets itself at each login
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        super().__init__(handler, hostname="mail.lab", ident="ESMTP", timeout=60, **smtp)
        self.gone: Future[None] = self.loop.create_future()
        self._faults = faults
        self._connected = connected
        self._smtp_methods |= {
            command: partial(self._carry_out, command, method)
            for command, method in self._smtp_methods.items()
        }

    @property
    def is_encrypted(self) -> bool:
        transport = self.transport
        return transport is not None and transport.get_extra_info("ssl_object") is not None

    def connection_made(self, transport: BaseTransport) -> None:
        self._connected.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._connected.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def break_off(self) -> None:
        """Break the connection, as it breaks when a server dies."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def suffer(self, fault: MailFault) -> None:
        """Let `fault` happen; returns only where it is an answer."""
        if fault.kind == "answer":
            await self.push(fault.reply)
            if fault.reply.startswith("421") or fault.step == "connect":
                self._close()
            return
        try:
            if fault.kind != "hang":
                self.break_off()
            # the end of the connection cancels this
            await self.loop.create_future()
        finally:
            self._close()

    async def _handle_client(self) -> None:
        fault = self._faults.take("connect")
        await (self.suffer(fault) if fault else super()._handle_client())

    async def _carry_out(
        self, command: str, method: Callable[[str | None], Awaitable[None]], said: str | None
    ) -> None:
        fault = self._faults.take(command, said or "")
        await (self.suffer(fault) if fault else method(said))

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()
