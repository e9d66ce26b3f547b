"""An image by the name that people write, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.mirror.imagenames import image_name
from entrepot.mirror.names import ImageName, NameTable
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Reference, RepositoryName, parse_reference


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A name in the registry's own words; the registry need not be one that is served."""

    registry: str
    repository: RepositoryName
    reference: Reference

    @classmethod
    def read(cls, text: str, names: NameTable) -> NamedImage:
        """Read what people write; NameInvalid, TagInvalid or DigestInvalid."""
        registry, _, rest = image_name(text, names).partition("/")
        repository, at, reference = rest.partition("@")
        if not at:
            repository, _, reference = rest.rpartition(":")
        return cls(registry, RepositoryName(repository), parse_reference(reference))

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.registry}/{self.repository}{separator}{self.reference}"

    @property
    def image(self) -> ImageName:
        """As a client would have asked for it."""
        return ImageName(
            registry=self.registry,
            namespace=self.registry,
            repository=self.repository,
            client_repository=self.repository,
            via_ns=True,
            path_prefix="/v2/",
        )
