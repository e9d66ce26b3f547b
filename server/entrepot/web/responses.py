"""The headers of contract §8 and the ways an answer leaves: from memory, by sendfile, cut off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from aiohttp import web

from entrepot.errors import TransferBroken
from entrepot.mirror.blobs import BlobReader
from entrepot.mirror.names import ImageName
from entrepot.oci.byterange import ByteRange
from entrepot.oci.digest import Digest
from entrepot.oci.manifest import Manifest
from entrepot.oci.mediatype import OCTET_STREAM
from entrepot.web.exchange import Exchange

SERVER = "entrepot"
API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0", "Server": SERVER}

_SLICE_BYTES = 4 * 1024 * 1024
_READ_BYTES = 1024 * 1024


def reply(
    request: web.BaseRequest, status: int, headers: dict[str, str], body: bytes
) -> web.Response:
    """A whole answer from memory; to a HEAD the same head without the body (X-1, X-2, X-3)."""
    headers["Content-Length"] = str(len(body))
    if request.method == "HEAD":
        return web.Response(status=status, headers=headers)
    return web.Response(status=status, headers=headers, body=body)


def warning(text: str) -> str:
    """A Warning header that containerd and podman show their user (N-5)."""
    plain = "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
    plain = plain.replace("\\", "/").replace('"', "'")
    return f'299 {SERVER} "{plain[:1000]}"'


def manifest_headers(image: ImageName, manifest: Manifest, source: str) -> dict[str, str]:
    """The head of a manifest's answer; the type exactly as stored, without parameters (C-14)."""
    digest = str(manifest.digest)
    headers = {
        "Content-Type": manifest.media_type,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Entrepot-Source": source,
        **API_VERSION,
    }
    if image.via_ns:
        headers["OCI-Namespace"] = image.namespace
    return headers


def blob_headers(
    image: ImageName, digest: Digest, size: int | None, part: ByteRange | None, source: str
) -> dict[str, str]:
    """The head of a blob's answer (L-8); the digest is the whole blob's, also on a 206."""
    headers = {
        "Content-Type": OCTET_STREAM,
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Entrepot-Source": source,
        **API_VERSION,
    }
    if image.via_ns:
        headers["OCI-Namespace"] = image.namespace
    if size is not None:
        headers["Content-Length"] = str(size if part is None else part.length)
        if part is not None:
            headers["Content-Range"] = part.content_range(size)
    return headers


async def send_blob(
    request: web.BaseRequest,
    response: web.StreamResponse,
    reader: BlobReader,
    part: ByteRange | None,
    exchange: Exchange,
    *,
    patience_s: Callable[[int], float],
) -> None:
    """Send what `reader` has, as it comes; the connection is cut when it will not all come.

    A body must never end early and cleanly, nor with an error's words at its end (T-3, P4): when
    the bytes do not come, or the disk does not give them, the transport is aborted and
    ConnectionResetError raised, which aiohttp takes as the end of the connection. `patience_s`
    tells how long the client may take for so many bytes.
    """
    await response.prepare(request)
    try:
        if reader.size is None:
            await _send_unsized(response, reader, exchange, patience_s=patience_s)
        else:
            start, stop = (part.start, part.stop) if part is not None else (0, reader.size)
            await _sendfile(request, reader, start, stop, exchange, patience_s=patience_s)
        await response.write_eof()
    except ConnectionError:
        raise
    except Exception as error:
        exchange.reason = str(error) or "the client read nothing for too long"
        if not isinstance(error, TimeoutError):
            reader.failed()
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError(exchange.reason) from error


async def _sendfile(
    request: web.BaseRequest,
    reader: BlobReader,
    start: int,
    stop: int,
    exchange: Exchange,
    *,
    patience_s: Callable[[int], float],
) -> None:
    loop = asyncio.get_running_loop()
    offset = ready = start
    while offset < stop:
        if ready <= offset:
            ready = min(await reader.wait(offset), stop)
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client went away")
        count = min(ready - offset, _SLICE_BYTES)
        async with asyncio.timeout(patience_s(count)):
            sent = await loop.sendfile(transport, reader.file, offset, count)
        exchange.sent_bytes += sent
        offset += sent
        if sent != count:
            raise TransferBroken("the file is shorter than it was")


async def _send_unsized(
    response: web.StreamResponse,
    reader: BlobReader,
    exchange: Exchange,
    *,
    patience_s: Callable[[int], float],
) -> None:
    """Chunked, because nobody said how long it is (Q-1)."""
    offset = 0
    while (ready := await reader.wait(offset)) > offset:
        while offset < ready:
            count = min(_READ_BYTES, ready - offset)
            data = await asyncio.to_thread(os.pread, reader.file.fileno(), count, offset)
            if not data:
                raise TransferBroken("the file is shorter than it was")
            async with asyncio.timeout(patience_s(count)):
                await response.write(data)
            offset += len(data)
            exchange.sent_bytes += len(data)
