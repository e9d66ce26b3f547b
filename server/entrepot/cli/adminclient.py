"""Whoever can answer for a cache: the server that runs on it, or the directory itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import click

_PIECE_BYTES = 1 << 20

Document = dict[str, Any]
Connect = Callable[[], http.client.HTTPConnection]


class NotFound(click.ClickException):
    """What was asked about is not there; exit status 1."""


class Refused(click.ClickException):
    """Anything else that was answered with an error; exit status 1."""


class Misused(click.ClickException):
    """What was asked cannot be asked; exit status 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class AdminClient:
    """Asks `/v1/`. Each request has a connection of its own; errors are what click shows."""

    connect: Connect
    token: str
    running: bool

    def get(self, path: str, **query: str | None) -> Document:
        """Ask for something."""
        return self.ask("GET", path, query)

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | None = None,
        body: Document | None = None,
    ) -> Document:
        """Ask, and read the JSON of the answer."""
        with self._connection() as connection:
            answer = self._sent(connection, method, path, query or {}, body)
            document = json.loads(answer.read())
        assert isinstance(document, dict)
        return document

    def lines(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | None = None,
        body: Document | None = None,
    ) -> Iterator[Document]:
        """Ask, and read line after line of JSON as they come."""
        with self._connection() as connection:
            answer = self._sent(connection, method, path, query or {}, body)
            while line := answer.readline():
                document = json.loads(line)
                assert isinstance(document, dict)
                yield document

    def events(self, path: str) -> Iterator[Document]:
        """Ask, and read the data of events as they come (Server-Sent Events)."""
        with self._connection() as connection:
            answer = self._sent(connection, "GET", path, {}, None)
            while line := answer.readline():
                name, _, data = line.decode().partition(":")
                if name == "data":
                    document = json.loads(data)
                    assert isinstance(document, dict)
                    yield document

    def bring(
        self,
        path: str,
        query: Mapping[str, str | None],
        pieces: Iterable[bytes],
        size: int,
    ) -> Document:
        """Send `size` bytes, piece by piece, and read the JSON of the answer."""
        with self._connection() as connection:
            connection.putrequest("PUT", _target(path, query))
            connection.putheader("Authorization", f"Bearer {self.token}")
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            with suppress(BrokenPipeError, ConnectionResetError):  # it has answered before the end
                for piece in pieces:
                    connection.send(piece)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise _refusal(answer.status, answer.read())
            document = json.loads(answer.read())
        assert isinstance(document, dict)
        return document

    def pieces(self, path: str) -> Iterator[bytes]:
        """Ask for bytes, and take them piece by piece."""
        with self._connection() as connection:
            answer = self._sent(connection, "GET", path, {}, None)
            while piece := answer.read(_PIECE_BYTES):
                yield piece
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection for one request; what breaks on it, or makes no sense, is told by click."""
        connection = self.connect()
        try:
            yield connection
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _broken(error) from error
        finally:
            connection.close()

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str | None],
        body: Document | None,
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, _target(path, query), data, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise _refusal(answer.status, answer.read())
        return answer


def _target(path: str, query: Mapping[str, str | None]) -> str:
    told = urlencode({key: value for key, value in query.items() if value is not None})
    return f"{path}?{told}" if told else path


def _refusal(status: int, body: bytes) -> click.ClickException:
    try:
        message = str(json.loads(body)["errors"][0]["message"])
    except (ValueError, LookupError, TypeError):
        message = f"the admin listener answered {status}, not as Entrepot does"
    kinds: dict[int, type[click.ClickException]] = {400: Misused, 404: NotFound}
    if status == http.client.UNAUTHORIZED:
        message = "the server does not take this token: does it run with these settings?"
    return kinds.get(status, Refused)(message)


def _broken(error: Exception) -> click.ClickException:
    return Refused(f"the answer was broken off: {str(error) or type(error).__name__}")
