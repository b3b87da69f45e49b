"""A mail server: takes mails over SMTP as providers do, and keeps them for whoever looks.

Sources: https://www.rfc-editor.org/rfc/rfc6409 (submission),
https://www.rfc-editor.org/rfc/rfc8314 (TLS from the start)
"""

import asyncio
import socket
import ssl
import tempfile
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme

from lab.limits import Window
from lab.mail_faults import MailFaults
from lab.mail_message import Mail
from lab.mail_postmaster import Postmaster
from lab.mail_session import MailSession
from lab.timeline import Timeline

HOST = "127.0.0.1"
SIZE_LIMIT_BYTES = 35_882_577  # what Gmail says


class MailServer:
    """Serves on three free ports of this machine while it is entered, each in its own way.

    `port` wants STARTTLS before anything else, as 587 of providers, `tls_port` speaks TLS from the
    start, as 465; both want a login. `plain_port` knows neither TLS nor logins, as a catcher of
    mails on a developer's machine. `ca_file` is what makes a client trust the certificate; it is
    there while the server is entered. `window` is how many mails it takes in how long.
    """

    ca_file: Path
    port: int
    tls_port: int
    plain_port: int

    def __init__(
        self,
        *,
        user: str,
        password: str,
        timeline: Timeline | None = None,
        size_limit_bytes: int = SIZE_LIMIT_BYTES,
        is_8bit: bool = True,
        is_utf8: bool = True,
        window: Window | None = None,
    ) -> None:
        self.faults = MailFaults()
        self._postmaster = Postmaster(
            user, password, self.faults, timeline or Timeline(), is_8bit=is_8bit, window=window
        )
        self._offers = {"data_size_limit": size_limit_bytes, "enable_SMTPUTF8": is_utf8}
        self._sessions: set[MailSession] = set()
        self._end: Future[None] = Future()
        self._while_entered = ExitStack()

    @property
    def messages(self) -> list[Mail]:
        """All mails that were taken, in their order."""
        return list(self._postmaster.taken)

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"smtps://{HOST}:{self.tls_port}"

    @property
    def plain_url(self) -> str:
        return f"smtp://{HOST}:{self.plain_port}"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="afterrun-mail-"))
            tls = self._certified(Path(folder))
            listeners = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(3)]
            self.port, self.tls_port, self.plain_port = (
                listener.getsockname()[1] for listener in listeners
            )
            self._end = Future()
            serving = threading.Thread(target=asyncio.run, args=[self._serve(tls, *listeners)])
            serving.start()
            stack.callback(serving.join)
            stack.callback(self._end.set_result, None)
            self._while_entered = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._while_entered.close()

    def _certified(self, folder: Path) -> ssl.SSLContext:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(context)
        return context

    async def _serve(self, tls: ssl.SSLContext, *listeners: socket.socket) -> None:
        starttls, encrypted, plain = listeners
        loop = asyncio.get_running_loop()
        served = [
            await loop.create_server(
                lambda: self._session(tls_context=tls, require_starttls=True), sock=starttls
            ),
            await loop.create_server(
                lambda: self._session(auth_require_tls=False), sock=encrypted, ssl=tls
            ),
            await loop.create_server(self._session, sock=plain),
        ]
        await asyncio.wrap_future(self._end)
        for server in served:
            server.close()
        left = list(self._sessions)
        for session in left:
            session.break_off()
        await asyncio.gather(*(session.gone for session in left))

    def _session(self, **way: Any) -> MailSession:
        """A session for a client that has just come; called by the loop."""
        return MailSession(
            self._postmaster,
            self.faults,
            self._sessions,
            authenticator=self._postmaster.logged_in,
            loop=asyncio.get_running_loop(),
            **self._offers,
            **way,
        )
