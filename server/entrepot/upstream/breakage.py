"""What the HTTP library reports, in our words: a host and a reason, never a whole url."""

from __future__ import annotations

import ssl

import aiohttp

from entrepot.errors import AttemptError, MirrorLied, MirrorUnreachable


class ConnectFailure(aiohttp.ClientConnectionError):
    """No connection, for the reason that its text tells; in our words already."""


def translate(error: Exception, host: str) -> AttemptError:
    """Turn a failure to reach or to read `host` into the AttemptError to raise from it.

    The library's own texts may quote urls with signatures in them, or a proxy's password; only
    reasons of the operating system and of the TLS library are taken over.
    """
    match error:
        case ConnectFailure():
            return MirrorUnreachable(str(error))
        case aiohttp.ConnectionTimeoutError():
            return MirrorUnreachable(f"{host} does not accept connections: timed out")
        case aiohttp.ClientConnectorDNSError():
            return MirrorUnreachable(f"no such host: {host}")
        case aiohttp.ClientConnectorCertificateError():
            reason = tls_reason(error.certificate_error)
            return MirrorUnreachable(f"certificate of {host} not accepted: {reason}")
        case aiohttp.ClientConnectorSSLError():
            return MirrorUnreachable(f"no TLS with {host}: {os_reason(error.os_error)}")
        case aiohttp.ClientProxyConnectionError():
            return MirrorUnreachable(f"the proxy cannot be reached: {os_reason(error.os_error)}")
        case aiohttp.ClientHttpProxyError():
            return MirrorUnreachable(f"the proxy answered {error.status} for {host}")
        case aiohttp.ClientConnectorError():
            return MirrorUnreachable(f"no connection to {host}: {os_reason(error.os_error)}")
        case aiohttp.ClientPayloadError():
            return MirrorUnreachable(f"{host} broke off inside its answer")
        case aiohttp.InvalidURL():
            return MirrorLied("redirects to something that is no url")
        case aiohttp.ClientResponseError():
            return MirrorUnreachable(f"{host} answers something that is not HTTP")
        case aiohttp.ServerDisconnectedError():
            return MirrorUnreachable(f"{host} closed the connection without an answer")
        case RuntimeError():  # how the library calls reading from a closed connection
            return MirrorUnreachable(f"connection to {host} was closed")
        case OSError():
            return MirrorUnreachable(f"connection to {host} lost: {os_reason(error)}")
        case _:
            return MirrorUnreachable(f"request to {host} failed: {type(error).__name__}")


def os_reason(error: BaseException) -> str:
    """Tell the operating system's reason in a few words."""
    text = (error.strerror if isinstance(error, OSError) else "") or type(error).__name__
    if text.startswith("Connect call failed"):
        text = "refused"
    return text.strip("[]")[:120]


def tls_reason(error: Exception) -> str:
    """Tell what is wrong with a certificate, or else with the handshake."""
    told = getattr(error, "verify_message", "")
    if not told and isinstance(error, ssl.SSLError):
        told = error.reason
    return str(told or type(error).__name__)[:160]
