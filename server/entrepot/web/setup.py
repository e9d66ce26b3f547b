"""/setup/ on the pull listener: scripts for nodes, made for the address that a client came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from entrepot.errors import SetupInvalid
from entrepot.setup.endpoint import Endpoint
from entrepot.setup.offer import PREFIX, Offer


def setup_page(
    offer: Offer, path: str, host: str, scheme: str, query: Mapping[str, Sequence[str]]
) -> str | None:
    """Make the page at `path`; None when there is none, which leaves the path to `/v2`'s rules.

    `host` is the Host header as it came: it gets into a script that runs as root, so it is read as
    an address or refused. Raises SetupInvalid for that, and for a query that asks what cannot be.
    """
    # Registries have pages of at least four parts below this, as in setup/pause/manifests/3.1 (S6).
    if not path.startswith(PREFIX) or path.count("/") > 2:
        return None
    name = path.removeprefix(PREFIX)
    try:
        return offer.page(name, Endpoint.parse(host, scheme), query)
    except ValueError as error:
        raise SetupInvalid(str(error)) from error
