"""A web server of a few files, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def weblet(
    files: Mapping[str, str], *, content_type: str = "text/plain", moved: str = ""
) -> Iterator[str]:
    """Give the URL of a server that has these files, or that sends everybody to `moved`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = files.get(self.path)
            if moved:
                self.send_response(302)
                self.send_header("Location", moved)
            elif text is None:
                self.send_response(404)
            else:
                self.send_response(200)
                self.send_header("Content-Type", content_type)
            body = (text or "").encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
