"""A docker schema 1 manifest with a JSON web signature inside, laid out as libtrust does it.

The layout is real (`formatLength`, `formatTail`, unpadded base64url); the signature itself is
noise, since nothing that pulls today checks it.
"""

from __future__ import annotations

import base64
import json

from fakes.images import SignedManifest, blob, sha256

SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def signed_manifest(
    name: str, tag: str, *, layers: tuple[bytes, ...] = (b"layer",)
) -> SignedManifest:
    """`name:tag` over `layers`, newest last in the arguments, first in the manifest."""
    payload = json.dumps(
        {
            "schemaVersion": 1,
            "name": name,
            "tag": tag,
            "architecture": "amd64",
            "fsLayers": [{"blobSum": str(sha256(layer))} for layer in reversed(layers)],
            "history": [
                {"v1Compatibility": json.dumps({"id": sha256(layer).hex, "os": "linux"})}
                for layer in reversed(layers)
            ],
        },
        indent=3,
    ).encode()
    tail = b"\n}"
    length = len(payload) - len(tail)
    protected = _base64url(
        json.dumps(
            {
                "formatLength": length,
                "formatTail": _base64url(tail),
                "time": "2016-05-04T12:00:00Z",
            }
        ).encode()
    )
    signature = {
        "header": {
            "jwk": {
                "crv": "P-256",
                "kid": "OD6I:6DRK:JXEJ:KBM4:255X:NSAA:MUSF:E4VM:ZI6W:CUN2:L4Z6:LSF4",
                "kty": "EC",
                "x": _base64url(blob(32, "x")),
                "y": _base64url(blob(32, "y")),
            },
            "alg": "ES256",
        },
        "signature": _base64url(blob(64, "signature")),
        "protected": protected,
    }
    signatures = json.dumps([signature], indent=3).replace("\n", "\n   ").encode()
    body = payload[:length] + b',\n   "signatures": ' + signatures + tail
    return SignedManifest(SCHEMA1_SIGNED, body, payload)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
