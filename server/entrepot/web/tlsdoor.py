"""Where clients come in that speak TLS: counted before they have said a word.

asyncio would count them after the handshake only, and for as long as they like to take for that.
The first byte tells TLS from HTTP; who speaks HTTP is told what this port speaks.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import structlog

from entrepot.oci.errorcode import ErrorCode
from entrepot.tasks import TaskOwner
from entrepot.web.connection import Listener, bare_answer

_HANDSHAKE = 0x16
_HANDSHAKE_S = 10.0
_SHUTDOWN_S = 5.0
_LINGER_S = 1.0
_BACKLOG = 1024
_OUT_OF_DESCRIPTORS_S = 1.0
_WRONG_DOOR = bare_answer(
    400, ErrorCode.UNSUPPORTED, "this port speaks HTTPS: write https:// before its address"
)

log = structlog.get_logger(__name__)


class TlsDoor:
    """The listening sockets of one TLS listener, and those who are between them and an answer."""

    def __init__(self, listener: Listener, context: Callable[[], ssl.SSLContext]) -> None:
        """`context` gives the one for the next client: it may be another every time."""
        self._listener = listener
        self._context = context
        self._sockets: list[socket.socket] = []
        self._owner = TaskOwner("TLS door")

    async def open(self, host: str, port: int, open_already: socket.socket | None = None) -> int:
        """Listen, and tell the port; OSError when that cannot be."""
        if open_already is not None:
            self._sockets.append(open_already)
        else:
            await self._bind(host, port)
        for one in self._sockets:
            _ = self._owner.start(self._accept(one), name="accept")
        return int(self._sockets[0].getsockname()[1])

    async def _bind(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, where in dict.fromkeys(found):
                self._sockets.append(_listening(family, where))
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Take in nobody any more; those inside are the listener's."""
        await self._owner.aclose()
        for one in self._sockets:
            one.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listening)
            except ConnectionError:
                continue
            except OSError as error:  # out of descriptors: others must end first
                log.warning("clients.not_accepted", reason=error.strerror)
                await asyncio.sleep(_OUT_OF_DESCRIPTORS_S)
                continue
            reason = self._listener.crowd.enter(address[0])
            if reason is not None:
                self._listener.refused(reason)
                sock.close()
                continue
            try:
                _ = self._owner.start(self._receive(sock, address[0]), name="handshake")
            except RuntimeError:  # the door is being closed at this moment
                self._listener.crowd.leave(address[0])
                sock.close()
                return

    async def _receive(self, sock: socket.socket, address: str) -> None:
        """Lead one client to the listener, which counts it out; or count it out here."""
        inside = False
        try:
            async with asyncio.timeout(self._listener.rules.head):
                first = await _first_byte(sock)
            if first == _HANDSHAKE:
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._listener.admitted,
                    sock,
                    ssl=self._context(),
                    ssl_handshake_timeout=_HANDSHAKE_S,
                    ssl_shutdown_timeout=_SHUTDOWN_S,
                )
                inside = True
            elif first is not None:
                self._listener.refused("malformed")
                await _turn_away(sock)
        except (OSError, TimeoutError) as error:
            self._listener.refused("no_handshake")
            log.debug("clients.no_handshake", client=address, error=type(error).__name__)
        finally:
            if not inside:
                self._listener.crowd.leave(address)
                sock.close()


def _listening(family: int, where: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(where)
        one.listen(_BACKLOG)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"cannot listen at {where}: {error.strerror}") from None
    return one


async def _first_byte(sock: socket.socket) -> int | None:
    """Wait for the first byte and leave it where it is; None when the client went away."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
    found = sock.recv(1, socket.MSG_PEEK)
    return found[0] if found else None


async def _turn_away(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await loop.sock_sendall(sock, _WRONG_DOOR)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 65536):
                pass  # what it still sends would have the kernel take our words back
