"""Who may have what: everybody everything, unless the settings say otherwise (P27, A-1 to A-3)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from entrepot.errors import Unauthenticated
from entrepot.mirror.names import CatalogTarget, Ping, Target
from entrepot.web.connection import certificate_shown
from entrepot.web.passwords import Passwords, read_basic

_ASKED_BY_THE_PING = (
    "containers/",
    "podman/",
    "libpod/",
    "skopeo/",
    "buildah/",
    "cri-o/",
    "crane/",
    "go-containerregistry/",
)
"""Clients that say who they are only if `/v2/` asks, and that without a login go on without one.
Docker pings as well, and is not among them: asked, it takes nothing without a login any more."""


@dataclass(frozen=True, slots=True)
class Access:
    """`private` registries are for clients that say who they are; all are with `required`.

    Where nothing is asked for, a client's Authorization is not even read (A-3), but at `/v2/`:
    `podman login` and `docker login` are told there whether it is right.
    """

    private: frozenset[str] = frozenset()
    required: bool = False
    passwords: Passwords | None = None

    def is_open(self, target: Target | None) -> bool:
        """Whether anybody may have it; None is for what no registry is needed."""
        if self.required:
            return False
        # Whether this is a registry at all may be asked by everybody: S-8.
        if target is None or isinstance(target, Ping | CatalogTarget):
            return True
        return target.image.registry not in self.private

    async def check(self, request: web.BaseRequest, target: Target | None) -> None:
        """Raise Unauthenticated or TooManyFailures unless this client may have `target`."""
        if self.is_open(target) or certificate_shown(request):
            return
        await self._check_login(request)

    async def check_ping(self, request: web.BaseRequest) -> None:
        """Raise as `check` does for a login that is wrong, or from who waits to be asked for one.

        Which registry is meant a ping does not say: it is asked for while any is private.
        """
        if self.passwords is None or certificate_shown(request):
            return
        agent = request.headers.get("User-Agent", "").lower()
        if "Authorization" in request.headers or (
            self.private and agent.startswith(_ASKED_BY_THE_PING)
        ):
            await self._check_login(request)

    async def _check_login(self, request: web.BaseRequest) -> None:
        claim = read_basic(request.headers.get("Authorization", ""))
        if (
            claim is not None
            and self.passwords is not None
            and await self.passwords.are_right(claim, request.remote or "")
        ):
            return
        raise Unauthenticated("a name and password are needed here, and right ones")
