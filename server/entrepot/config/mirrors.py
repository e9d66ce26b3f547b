"""One mirror of a registry, as the settings file writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from entrepot.config.addresses import (
    DIRECT,
    HostName,
    IpAddress,
    MirrorUrl,
    ProxyUrl,
    check_mirror_url,
    is_ip_address,
)
from entrepot.config.credentials import Credentials
from entrepot.config.frozen import Frozen, ReadableFile
from entrepot.config.limits import LimitSettings, unless_none
from entrepot.config.quantities import PositiveSeconds
from entrepot.config.routes import Family, RedirectRule, check_addresses, check_login
from entrepot.upstream.naming import NamingRule, Pattern, TagRule, Template, check_replacement

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What a request says on its own account: rules U-1, U-2, T-5 and HTTP itself.
_OUR_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "host", "range"}
    | {"transfer-encoding"}
)


def _checked(parse: Callable[[str], object]) -> AfterValidator:
    """Hold a text against a parser and keep the text."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _check_header_name(text: str) -> str:
    if text.lower() == "authorization":
        raise ValueError("write the name and password under credentials instead")
    if text.lower() in _OUR_HEADERS:
        raise ValueError("this header is Entrepot's own affair")
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("not the name of a header")
    return text


def _check_header_value(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("a header's value is printable ASCII on one line")
    return text


def _check_expression(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error


TemplateText = Annotated[str, _checked(Template.parse)]
PatternText = Annotated[str, _checked(Pattern.parse)]
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
HeaderValue = Annotated[str, AfterValidator(_check_header_value)]


class TagRuleSettings(Frozen):
    """Tags of these repositories that match as a whole have another name on the mirror."""

    repository: PatternText = "*"
    match: Annotated[str, _checked(_check_expression)]
    replace: str

    @field_validator("replace")
    @classmethod
    def _has_those_groups(cls, replace: str, info: ValidationInfo) -> str:
        match = info.data.get("match")
        if match is not None:
            check_replacement(re.compile(match), replace)
        return replace


class MirrorSettings(Frozen):
    """A remote to fetch from: where it is, what it calls things, how to get in.

    A bare url stands for a mirror that needs nothing else.
    """

    url: MirrorUrl
    name: Annotated[str, Field(min_length=1)] = ""
    authority: bool = False
    # False: blobs are asked for here only when nobody else has them.
    blobs: bool = True
    repository: TemplateText | None = None
    table: dict[PatternText, TemplateText] | None = None
    exceptions: dict[PatternText, TemplateText] = Field(default={})
    only: tuple[PatternText, ...] = ()
    excluded: tuple[PatternText, ...] = Field(default=(), alias="except")
    tags: tuple[TagRuleSettings, ...] = ()
    credentials: Credentials | None = None
    # A proxy's url may carry its password.
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    proxy_credentials: Credentials | None = None
    redirects: tuple[RedirectRule, ...] = ()
    ca: ReadableFile | None = None
    insecure: bool = False
    family: Family = "any"
    addresses: tuple[IpAddress, ...] = ()
    headers: dict[HeaderName, HeaderValue] = Field(default={}, repr=False)
    realms: tuple[HostName, ...] = ()
    limits: LimitSettings = LimitSettings()
    # How long the first byte of a blob may take, in seconds, when nobody else has it.
    patience: Annotated[PositiveSeconds | None, BeforeValidator(unless_none)] = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: object) -> object:
        if isinstance(data, str):
            data = {"url": data}
        if isinstance(data, dict) and data.get("name") is None:
            rest = {key: value for key, value in data.items() if key != "name"}
            return {**rest, "name": default_name(data.get("url"))}
        return data

    @field_validator("table")
    @classmethod
    def _says_all(cls, table: dict[str, str] | None, info: ValidationInfo) -> dict[str, str] | None:
        if table is not None and info.data.get("repository") is not None:
            raise ValueError("repository and table together: keep one, or move this to exceptions")
        if table == {}:
            raise ValueError("an empty table: such a mirror carries nothing")
        return table

    @model_validator(mode="after")
    def _can_be_reached(self) -> MirrorSettings:
        check_login(self.proxy, self.proxy_credentials)
        check_addresses(self.addresses, self.proxy, self.family)
        if self.addresses and is_ip_address(urlsplit(self.url).hostname or ""):
            raise ValueError("addresses, but the url holds one already")
        own = None if self.proxy == DIRECT else self.proxy
        for rule in self.redirects:
            check_addresses(rule.addresses, rule.proxy or own, rule.family or self.family)
        return self

    @cached_property
    def naming(self) -> NamingRule:
        """The rule from our names to this mirror's."""
        return NamingRule.parse(
            self.repository or "{repository}",
            table=self.table,
            exceptions=self.exceptions,
            only=self.only,
            excluded=self.excluded,
            tags=[TagRule.parse(rule.repository, rule.match, rule.replace) for rule in self.tags],
        )

    @property
    def host(self) -> str:
        """Who answers there, whatever the mirror is called here: host and port."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.hostname}:{port}"

    @property
    def read_at_start(self) -> bool:
        """Whether files are read once, at the start: certificates, and a proxy's login."""
        ways: tuple[MirrorSettings | RedirectRule, ...] = (self, *self.redirects)
        return any(way.ca is not None or way.proxy_credentials is not None for way in ways)


def default_name(url: object) -> str:
    """Name a mirror after its host and port; any text will do for a url that is refused anyway."""
    try:
        return urlsplit(check_mirror_url(str(url))).netloc
    except ValueError:
        return "?"
