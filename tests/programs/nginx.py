"""A real nginx on a free port: as a caching proxy, or as a registry of static files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from programs import require_program
from programs.daemon import Daemon, plain_environment
from programs.ports import Port

# One worker; everything it writes lies under its own directory. The log's last field is what the
# body took on the wire, which `Nginx.bytes_sent` adds up.
_MAIN = """
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    log_format bench '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent';
    access_log {directory}/access.log bench;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 10000000;
    default_type application/octet-stream;
    {http}
}}
"""


@dataclass(frozen=True, slots=True)
class CachingProxy:
    """`proxy_cache` as a careful operator sets it up: locked fills, the query part of the key.

    The lock outlasts any download here; at nginx's own five seconds waiters would go upstream.
    """

    origin: str

    def http(self, address: str, directory: Path) -> str:
        """The `http` part of the configuration."""
        return f"""
    proxy_cache_path {directory}/cache levels=1:2 keys_zone=blobs:10m max_size=100g
                     inactive=1h use_temp_path=off;
    upstream origin {{ server {self.origin.removeprefix("http://")}; keepalive 16; }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache blobs;
            proxy_cache_key $uri$is_args$args;
            proxy_cache_valid 200 5m;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 5m;
            proxy_cache_lock_age 5m;
        }}
    }}"""


@dataclass(frozen=True, slots=True)
class StaticRegistry:
    """Files under `root`/v2/…/{manifests,blobs}/… served as a registry serves them.

    `tags` maps the request path of each tag to its digest; other digests are in the paths.
    """

    root: Path
    tags: Mapping[str, str]
    manifest_type: str

    def http(self, address: str, directory: Path) -> str:
        """The `http` part of the configuration."""
        tags = "\n        ".join(f'"{path}" "{digest}";' for path, digest in self.tags.items())
        headers = (
            "add_header Docker-Content-Digest $digest;"
            " add_header Docker-Distribution-Api-Version registry/2.0;"
        )
        return f"""
    map $uri $digest {{
        default "";
        {tags}
        "~/(?<hash>sha256:[0-9a-f]+)$" $hash;
    }}
    server {{
        listen {address};
        root {self.root};
        location = /v2/ {{ default_type application/json; return 200 "{{}}"; }}
        location ~ /manifests/ {{ default_type {self.manifest_type}; {headers} }}
        location ~ /blobs/ {{ {headers} }}
    }}"""


class Nginx:
    """One running nginx; `async with` starts it and stops it, its files stay in `directory`."""

    def __init__(self, directory: Path, role: CachingProxy | StaticRegistry) -> None:
        self._program = require_program("nginx")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._role = role

    async def __aenter__(self) -> Self:
        self._port = Port()
        config = self._directory / "nginx.conf"
        config.write_text(
            _MAIN.format(
                directory=self._directory,
                # As root the workers would become nobody and not reach the directory.
                user="user root;" if os.geteuid() == 0 else "",
                http=self._role.http(str(self._port), self._directory),
            )
        )
        log = self._directory / "error.log"
        self._daemon = Daemon(
            (self._program, "-p", self._directory, "-c", config, "-e", log),
            log,
            plain_environment(self._directory),
        )

        async def ready() -> bool:
            return await self._port.status_of("/") is not None

        try:
            await self._daemon.start(ready)
        except BaseException:
            self._port.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # SIGTERM makes nginx drop its connections at once.
            await self._daemon.stop()
        finally:
            self._port.close()

    @property
    def url(self) -> str:
        """Where it answers, without a trailing slash."""
        return f"http://{self._port}"

    @property
    def pid(self) -> int:
        """The master's; the worker is its child."""
        return self._daemon.pid

    def bytes_sent(self, *, contains: str = "") -> int:
        """Body bytes sent in finished requests whose log line contains that text."""
        log = (self._directory / "access.log").read_text()
        return sum(int(line.rpartition(" ")[2]) for line in log.splitlines() if contains in line)
