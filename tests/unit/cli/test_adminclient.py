"""What an `AdminClient` asks, and what it makes of answers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click
import pytest

from entrepot.cli.adminclient import AdminClient, Misused, NotFound, Refused


class Scripted(ThreadingHTTPServer):
    """Answers everything with the same, and notes what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.cut = 200, b"{}", 0
        self.asked: list[tuple[str, str, str | None, bytes]] = []

    def client(self) -> AdminClient:
        port = self.server_address[1]
        return AdminClient(lambda: http.client.HTTPConnection("127.0.0.1", port), "t0k", True)


class Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        script = self.server
        assert isinstance(script, Scripted)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        script.asked.append((self.command, self.path, self.headers["Authorization"], sent))
        self.send_response(script.status)
        self.send_header("Content-Length", str(len(script.body) + script.cut))
        self.end_headers()
        self.wfile.write(script.body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Write nothing to the terminal."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_query_leaves_out_what_is_none_and_is_quoted(server: Scripted) -> None:
    server.body = b'{"images": []}'
    assert server.client().get("/v1/images", pattern="a/b:1&x", after=None) == {"images": []}
    assert server.client().get("/v1/images", after=None) == {"images": []}
    assert server.asked == [
        ("GET", "/v1/images?pattern=a%2Fb%3A1%26x", "Bearer t0k", b""),
        ("GET", "/v1/images", "Bearer t0k", b""),
    ]


def test_body_is_sent_as_json(server: Scripted) -> None:
    _ = server.client().ask("POST", "/v1/keeps", body={"pattern": "a"})
    [(method, path, _, sent)] = server.asked
    assert (method, path, json.loads(sent)) == ("POST", "/v1/keeps", {"pattern": "a"})


def test_lines_are_read_one_by_one(server: Scripted) -> None:
    server.body = b'{"a": 1}\n{"b": 2}\n'
    assert list(server.client().lines("POST", "/v1/verify")) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [(400, Misused, 2), (404, NotFound, 1), (409, Refused, 1), (500, Refused, 1)],
)
def test_error_is_told_in_the_words_of_the_server(
    server: Scripted, status: int, kind: type[click.ClickException], exit_code: int
) -> None:
    server.status, server.body = status, b'{"errors": [{"message": "no such image"}]}'
    for asking in (
        lambda: server.client().get("/"),
        lambda: list(server.client().lines("GET", "/")),
    ):
        with pytest.raises(kind, match=r"^no such image$") as caught:
            _ = asking()
        assert type(caught.value) is kind
        assert caught.value.exit_code == exit_code


def test_token_that_is_not_taken_says_what_to_look_at(server: Scripted) -> None:
    server.status, server.body = 401, b'{"errors": [{"message": "unauthorized"}]}'
    with pytest.raises(Refused, match="does it run with these settings"):
        _ = server.client().get("/")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"errors": []}', b'{"errors": [1]}'])
def test_error_of_somebody_else_names_the_status(server: Scripted, body: bytes) -> None:
    server.status, server.body = 502, body
    with pytest.raises(Refused, match="answered 502, not as Entrepot does"):
        _ = server.client().get("/")


@pytest.mark.parametrize(("body", "cut"), [(b"<html>", 0), (b'{"a": ', 20), (b"\xff\xfe{", 0)])
def test_answer_that_is_broken_is_an_error_not_a_traceback(
    server: Scripted, body: bytes, cut: int
) -> None:
    server.body, server.cut = body, cut
    with pytest.raises(Refused, match="the answer was broken off"):
        _ = server.client().get("/")
    with pytest.raises(Refused, match="the answer was broken off"):
        _ = list(server.client().lines("GET", "/"))


def test_bytes_are_brought_with_their_length(server: Scripted) -> None:
    server.body = b'{"new": true}'
    told = server.client().bring("/v1/blobs/x", {"registry": "r", "no": None}, [b"ab", b"c"], 3)
    assert told == {"new": True}
    assert server.asked == [("PUT", "/v1/blobs/x?registry=r", "Bearer t0k", b"abc")]
    server.status, server.body = 400, b'{"errors": [{"message": "damaged"}]}'
    with pytest.raises(Misused, match="damaged"):
        server.client().bring("/v1/blobs/x", {}, [b"abc"], 3)


def test_bytes_are_taken_to_their_end(server: Scripted) -> None:
    server.body = bytes(3 << 20)
    assert b"".join(server.client().pieces("/v1/blobs/x")) == server.body
    server.cut = 5
    with pytest.raises(Refused, match="broken off"):
        _ = b"".join(server.client().pieces("/v1/blobs/x"))
    server.status, server.body, server.cut = 404, b"{}", 0
    with pytest.raises(NotFound):
        _ = b"".join(server.client().pieces("/v1/blobs/x"))


def test_events_are_read_as_they_come(server: Scripted) -> None:
    server.body = b': nothing\n\nevent: status\ndata: {"n": 1}\n\nevent: status\ndata: {"n": 2}\n\n'
    assert list(server.client().events("/status/events")) == [{"n": 1}, {"n": 2}]
    server.body = b"data: nonsense\n\n"
    with pytest.raises(Refused, match="broken off"):
        list(server.client().events("/status/events"))
