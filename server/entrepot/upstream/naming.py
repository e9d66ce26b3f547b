"""What a mirror calls a repository: pure rules from our names to its names.

A *template* is a repository name with placeholders:

    {registry}         the registry that owns the name, e.g. registry.k8s.io
    {repository}       the whole name, e.g. coredns/coredns
    {repository:SEP}   the whole name with SEP in place of each "/"
    {name}             the last part of the name
    {rest}, {rest:SEP} what the "*" of the entry's pattern stood for (table and exceptions)

A *pattern* is a repository name, or `part/*` for everything below `part` at any depth,
or `*` for everything. Where several match, a whole name wins, then the longest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from entrepot.errors import NameInvalid, TagInvalid
from entrepot.oci.reference import RepositoryName, Tag

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_WHOLE_NAMES = ("registry", "repository", "name", "rest")
_JOINED_NAMES = ("repository", "rest")


@dataclass(frozen=True, slots=True)
class Template:
    """A repository name with placeholders; made only by `parse`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Template:
        """Check the placeholders and the text between them; ValueError says what is wrong."""
        for placeholder in _PLACEHOLDER.findall(text):
            name, colon, separator = placeholder.partition(":")
            if name not in _WHOLE_NAMES or (colon and name not in _JOINED_NAMES):
                raise ValueError(
                    f"unknown placeholder {{{placeholder}}}: there are {{registry}},"
                    " {repository}, {repository:-}, {name} and, beside a pattern, {rest}"
                )
            if colon and not separator:
                raise ValueError(f"{{{placeholder}}} names no separator, as {{{name}:-}} does")
        template = cls(text)
        if template.render("registry.example", RepositoryName("some/name"), "some/name") is None:
            raise ValueError("this does not make repository names: mind upper case and slashes")
        return template

    def render(self, registry: str, repository: str, rest: str) -> RepositoryName | None:
        """Fill the placeholders in; None where the outcome is not a repository name (S-9)."""
        values = {
            "registry": registry,
            "repository": repository,
            "name": repository.rpartition("/")[2],
            "rest": rest,
        }

        def fill(match: re.Match[str]) -> str:
            name, colon, separator = match[1].partition(":")
            return values[name].replace("/", separator) if colon else values[name]

        try:
            return RepositoryName.parse(_PLACEHOLDER.sub(fill, self.text))
        except NameInvalid:
            return None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One repository, or all below a part; made only by `parse`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """ValueError when the text is neither a name nor a name ending in `/*`."""
        if text != "*":
            try:
                RepositoryName.parse(text.removesuffix("/*"))
            except NameInvalid as error:
                raise ValueError(f"not a name, nor one ending in /*: {error}") from error
        return cls(text)

    def rest(self, repository: str) -> str | None:
        """Tell what the `*` stands for (the last part without one); None when nothing matches."""
        if not self.text.endswith("*"):
            return repository.rpartition("/")[2] if repository == self.text else None
        parent = self.text[:-1]
        return repository[len(parent) :] if repository.startswith(parent) else None

    @property
    def weight(self) -> tuple[bool, int]:
        """Larger is more exact."""
        return (not self.text.endswith("*"), len(self.text))


@dataclass(frozen=True, slots=True)
class TagRule:
    """Rename tags of some repositories: the whole tag must match; `replace` may use groups."""

    repositories: Pattern
    match: re.Pattern[str]
    replace: str

    @classmethod
    def parse(cls, repository: str, match: str, replace: str) -> TagRule:
        r"""ValueError for a bad pattern, a bad expression, or a \1 that has no group."""
        repositories = Pattern.parse(repository)
        try:
            expression = re.compile(match)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        check_replacement(expression, replace)
        return cls(repositories, expression, replace)

    def apply(self, repository: str, tag: Tag) -> Tag | None:
        """Rename; None when this rule does not speak of that tag."""
        if self.repositories.rest(repository) is None:
            return None
        found = self.match.fullmatch(tag)
        if found is None:
            return None
        try:
            return Tag.parse(found.expand(self.replace))
        except TagInvalid:
            return tag


def check_replacement(expression: re.Pattern[str], replace: str) -> None:
    r"""ValueError when `replace` names a group that `expression` has not got."""
    try:
        # The empty alternative makes any expression match, so that the template is read.
        re.compile(f"{expression.pattern}|", expression.flags).sub(replace, "")
    except (re.error, IndexError) as error:
        raise ValueError(f"this cannot replace {expression.pattern!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class NamingRule:
    """How one mirror names what we name otherwise. `NamingRule()` changes nothing.

    Exactly one of `template` and `table` decides, after `exceptions`. With a table, what it
    does not list is not carried; `only` and `excluded` narrow what is carried in every case,
    and are read against our names, never the mirror's.
    """

    template: Template = Template("{repository}")
    table: tuple[tuple[Pattern, Template], ...] | None = None
    exceptions: tuple[tuple[Pattern, Template], ...] = ()
    only: tuple[Pattern, ...] = ()
    excluded: tuple[Pattern, ...] = ()
    tags: tuple[TagRule, ...] = ()

    @classmethod
    def parse(
        cls,
        repository: str = "{repository}",
        *,
        table: Mapping[str, str] | None = None,
        exceptions: Mapping[str, str] | None = None,
        only: Iterable[str] = (),
        excluded: Iterable[str] = (),
        tags: Iterable[TagRule] = (),
    ) -> NamingRule:
        """Read a rule from the texts of the settings file; ValueError says what is wrong."""
        return cls(
            template=Template.parse(repository),
            table=None if table is None else _entries(table),
            exceptions=_entries(exceptions or {}),
            only=tuple(Pattern.parse(text) for text in only),
            excluded=tuple(Pattern.parse(text) for text in excluded),
            tags=tuple(tags),
        )

    def repository(self, registry: str, repository: RepositoryName) -> RepositoryName | None:
        """Give the mirror's name for a repository; None when the mirror does not carry it."""
        if self.only and not _any(self.only, repository):
            return None
        if _any(self.excluded, repository):
            return None
        for entries in (self.exceptions, self.table or ()):
            for pattern, template in entries:
                rest = pattern.rest(repository)
                if rest is not None:
                    return template.render(registry, repository, rest)
        if self.table is not None:
            return None
        return self.template.render(registry, repository, repository)

    def tag(self, repository: RepositoryName, tag: Tag) -> Tag:
        """Give the mirror's name for a tag of a repository, both in our own names."""
        for rule in self.tags:
            renamed = rule.apply(repository, tag)
            if renamed is not None:
                return renamed
        return tag


def _entries(table: Mapping[str, str]) -> tuple[tuple[Pattern, Template], ...]:
    entries = [(Pattern.parse(key), Template.parse(value)) for key, value in table.items()]
    return tuple(sorted(entries, key=lambda entry: entry[0].weight, reverse=True))


def _any(patterns: tuple[Pattern, ...], repository: str) -> bool:
    return any(pattern.rest(repository) is not None for pattern in patterns)
