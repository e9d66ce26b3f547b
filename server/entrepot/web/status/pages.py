"""The status page, its search, the page of one image, and the same as JSON and as events.

Whoever may connect may look, but not at what is in private registries; whoever has logged in with
the admin token may do that, and act.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib.resources import files
from typing import TypeAlias

from aiohttp import web
from jinja2 import Environment

from entrepot.errors import EntrepotError, NotHere
from entrepot.mirror.documents import Document, image_document
from entrepot.mirror.imagenames import image_name
from entrepot.mirror.origindocuments import origin_document
from entrepot.mirror.overview import Overview, Span
from entrepot.mirror.prefetch import Prefetch
from entrepot.web.errors import error_reply
from entrepot.web.guard import Guard
from entrepot.web.status.actions import Actions
from entrepot.web.status.ahead import jobs_documents
from entrepot.web.status.live import Live
from entrepot.web.status.sessions import Session, Sessions
from entrepot.web.status.templates import environment, plots

IMAGES = 50
RECORDS = 50
_STATIC = {"style.css": "text/css", "page.js": "text/javascript"}
_FRAGMENTS = ("totals", "fills", "mirrors", "plots")
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusPages:
    """The handlers; made by `load`, for that reads files."""

    def __init__(
        self,
        overview: Overview,
        prefetch: Prefetch,
        templates: Environment,
        static: dict[str, bytes],
    ) -> None:
        self._overview = overview
        self._prefetch = prefetch
        self._templates = templates
        self._static = static
        self._live = Live()
        self._sessions = Sessions()
        self._guard: Guard | None = None

    @classmethod
    def load(cls, overview: Overview, prefetch: Prefetch) -> StatusPages:
        """Read the templates and all that pages refer to. Not on the event loop."""
        here = files("entrepot.web.status")
        static = {name: (here / name).read_bytes() for name in _STATIC}
        return cls(overview, prefetch, environment(), static)

    def add_to(self, application: web.Application, guard: Guard) -> None:
        """Add every route: all for those who call us by a name of ours, acting for admins."""
        router = application.router
        self._guard = guard
        actions = Actions(self._overview.library, self._prefetch, self._sessions, guard)
        for path, answer in (
            ("/", self.home),
            ("/status", self.status),
            ("/status/image", self.image),
            ("/status.json", self.document),
            ("/status/events", self.events),
            ("/status/{file:style\\.css|page\\.js}", self.static),
        ):
            router.add_get(path, self._secured(guard, answer))
        for name, act in actions.all():
            router.add_post(f"/status/{name}", self._secured(guard, act))

        async def close(_: web.Application) -> None:
            self._live.close()

        application.on_shutdown.append(close)

    def _secured(self, guard: Guard, answer: Handler) -> Handler:
        async def secured(request: web.Request) -> web.StreamResponse:
            if not guard.is_called_by_name(request):
                told = "this listener does not go by that name: see admin.hosts in the settings\n"
                return web.Response(status=403, text=told)
            try:
                response = await answer(request)
            except EntrepotError as error:
                response = self._page(request, "error.html", error_reply(error).status, error=error)
            if not response.prepared:
                response.headers.update(SECURITY)
            return response

        return secured

    async def home(self, _: web.Request) -> web.Response:
        """Lead to the page."""
        return web.Response(status=303, headers={"Location": "/status"})

    async def static(self, request: web.Request) -> web.Response:
        """Send a style or a script."""
        name = request.match_info["file"]
        return web.Response(body=self._static[name], content_type=_STATIC[name], charset="utf-8")

    async def status(self, request: web.Request) -> web.Response:
        """Show everything.

        `q` searches the images, `after` is where the last page of them ended, `span` hour or day.
        """
        session = self._sessions.of(request)
        insider = session is not None
        span = _span(request)
        whole = await self._overview.whole(insider=insider)
        query = request.query.get("q", "").strip()[:200]
        images, more = await self._images(query, request.query.get("after"), insider=insider)
        return self._page(
            request,
            "status.html",
            now=whole,
            jobs=jobs_documents(self._prefetch) if insider else [],
            images=images,
            more=more,
            query=query,
            span=span,
            plots=plots(self._overview.steps(span), span),
        )

    async def image(self, request: web.Request) -> web.Response:
        """Show one image: its platforms, what each of them lacks, and why it is what it is."""
        library, told = self._overview.library, request.query.get("name", "")
        hidden = frozenset() if self._sessions.of(request) is not None else self._overview.private()
        # Before it is looked for: whether it is here is not told to everybody either.
        name = image_name(told, library.names)
        if name.partition("/")[0] in hidden:
            return self._page(request, "login.html", 401, told="That is for admins to see.")
        if hidden and (
            await library.inventory.image(name) is None or not await library.inventory.belongs(name)
        ):
            raise NotHere(f"{name} is not here")  # and no word of what else may be meant
        record = await library.image(told)
        origin = await library.origins.why(record.name)
        names = tuple(one for one in origin.names if one.partition("/")[0] not in hidden)
        kept = await library.keeps()
        return self._page(
            request,
            "image.html",
            image=image_document(record, missing=True),
            kept=record.name in kept.told,
            why=origin_document(replace(origin, names=names)),
            records=RECORDS,
        )

    async def document(self, request: web.Request) -> web.Response:
        """Tell everything as JSON."""
        return web.json_response(await self._overview.whole(insider=self._is_insider(request)))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send what is live: as parts of the page, or with `as=json` as one document."""
        if request.query.get("as") == "json":
            return await self._live.stream(request, lambda: {"status": self._now(request)})
        span = _span(request)
        return await self._live.stream(request, lambda: self._fragments(request, span))

    def _now(self, request: web.Request) -> Document:
        """Tell what is live; whoever has logged out meanwhile is told less from then on."""
        return self._overview.live(insider=self._is_insider(request))

    def _fragments(self, request: web.Request, span: Span) -> Document:
        about: Document = {
            "now": self._now(request),
            "plots": plots(self._overview.steps(span), span),
            "span": span,
        }
        names: tuple[str, ...] = _FRAGMENTS
        if self._is_insider(request):
            about["jobs"] = jobs_documents(self._prefetch)
            names += ("ahead",)
        return {name: self._templates.get_template(f"{name}.html").render(about) for name in names}

    async def _images(
        self, query: str, after: str | None, *, insider: bool
    ) -> tuple[list[Document], str | None]:
        """Give a page of images, and the name after which the next begins.

        That name is in a link: of what is not shown it tells nothing, so the page is filled up.
        """
        library = self._overview.library
        hidden = frozenset() if insider else self._overview.private()
        shown: list[Document] = []
        while len(shown) <= IMAGES:
            if query:
                found = await library.search(query, after, IMAGES)
            else:
                found = await library.images(None, after, IMAGES)
            shown += [image_document(one) for one in found if one.registry not in hidden]
            if len(found) < IMAGES:
                break
            after = found[-1].name
        page = shown[:IMAGES]
        return page, str(page[-1]["name"]) if page != shown else None

    def _is_insider(self, request: web.Request) -> bool:
        """Whether it comes from a browser that has logged in, or with the token itself."""
        by_token = self._guard is not None and self._guard.authorized(request)
        return by_token or self._sessions.of(request) is not None

    def _page(
        self, request: web.Request, template: str, status: int = 200, **about: object
    ) -> web.Response:
        session: Session | None = self._sessions.of(request)
        text = self._templates.get_template(template).render(session=session, **about)
        return web.Response(status=status, text=text, content_type="text/html")


def _span(request: web.Request) -> Span:
    return "day" if request.query.get("span") == "day" else "hour"
