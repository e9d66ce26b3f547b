"""Addresses to listen on, names of registries, urls of mirrors and proxies."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, ClassVar
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, model_validator

from entrepot.config.frozen import Frozen

_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
_HOST_PATTERN = re.compile(r"[a-z0-9*:](?:[a-z0-9._:*-]*[a-z0-9*])?", re.IGNORECASE)
_PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
DIRECT = "direct"
"""Written instead of a proxy's url: none, whatever the environment says."""
_REGISTRY = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?")


def split_address(text: str) -> tuple[str, int]:
    """Part `127.0.0.1:5000`, `[::]:5000` or `name:5000`; ValueError for anything else."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not host:
        raise ValueError("not an address: write host:port, as 0.0.0.0:5000 or [::]:5000")
    if int(port) > 65535:
        raise ValueError("a port is at most 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed or ":" in host:
        host = host.removeprefix("[").removesuffix("]")
        try:
            ipaddress.IPv6Address(host)
        except ValueError as error:
            raise ValueError("not an IPv6 address; write it as [::1]:5000") from error
        if not bracketed:
            raise ValueError(f"put brackets round an IPv6 address: [{host}]:{port}")
    elif not _HOST_NAME.fullmatch(host):
        raise ValueError("not an address: write host:port, as 0.0.0.0:5000 or [::]:5000")
    return host, int(port)


def _checked_port(port: int) -> int:
    if not 0 <= port <= 65535:
        raise ValueError("a port is at most 65535")
    return port


class Address(Frozen):
    """A host and a port to listen on; port 0 takes any free one."""

    also_written: ClassVar[tuple[str, ...]] = ("address",)

    host: str
    port: Annotated[int, AfterValidator(_checked_port)]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: object) -> object:
        if isinstance(data, str | int):
            data = {"address": str(data)}
        if isinstance(data, dict) and "address" in data:
            rest = {key: value for key, value in data.items() if key != "address"}
            host, port = split_address(str(data["address"]))
            return {"host": host, "port": port, **rest}
        return data

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _check_registry(text: str) -> str:
    if _REGISTRY.fullmatch(text):
        return text
    if _REGISTRY.fullmatch(text.lower()):
        raise ValueError("write the names of registries in lower case")
    raise ValueError("a registry is named by its host alone, as docker.io or localhost:5001")


def _check_host_header(text: str) -> str:
    if _HOST_NAME.fullmatch(text):
        return text.lower()
    raise ValueError("not a host name (and it goes without a port)")


RegistryHost = Annotated[str, AfterValidator(_check_registry)]
HostName = Annotated[str, AfterValidator(_check_host_header)]


def _split_url(text: str) -> SplitResult:
    if "://" not in text:
        raise ValueError("a url begins with https:// or http://")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("not a url: mind the host and the port") from error
    if not parts.hostname or re.search(r"\s", text) or port == 0:
        raise ValueError("not a url: mind the host and the port")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("a url here has no ? or # part")
    return parts


def check_mirror_url(text: str) -> str:
    """Give `scheme://host[:port][/path]`, host in lower case, no slash at the end."""
    parts = _split_url(text)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("a url begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("write the name and password under credentials, not into the url")
    path = parts.path.rstrip("/")
    if path.endswith("/v2"):
        raise ValueError("leave /v2 out: it is put between the url and the repository")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _check_proxy_url(text: str) -> str:
    if text == DIRECT:
        return text
    if "://" not in text or text.partition("://")[0].lower() not in _PROXY_SCHEMES:
        raise ValueError(
            "a proxy's url begins with http://, https://, socks5:// or socks5h://;"
            f" {DIRECT} means none"
        )
    parts = _split_url(text)
    if parts.path.strip("/"):
        raise ValueError("a proxy's url ends after the port")
    return text.rstrip("/")


def is_ip_address(host: str) -> bool:
    """Whether `host`, without brackets, is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_ip_address(text: str) -> str:
    bare = text.removeprefix("[").removesuffix("]")
    if not is_ip_address(bare):
        raise ValueError("not an IP address")
    return str(ipaddress.ip_address(bare))


def _check_host_pattern(text: str) -> str:
    if not _HOST_PATTERN.fullmatch(text):
        raise ValueError("not a host name; a * in it stands for any part of one, as *.pkg.dev")
    return text.lower()


MirrorUrl = Annotated[str, AfterValidator(check_mirror_url)]
ProxyUrl = Annotated[str, AfterValidator(_check_proxy_url)]
IpAddress = Annotated[str, AfterValidator(_check_ip_address)]
HostPattern = Annotated[str, AfterValidator(_check_host_pattern)]
