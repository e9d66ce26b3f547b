"""Where things lie in the cache directory: paths only, nothing here touches the disk."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from entrepot.oci.digest import Digest

VERSION = 1

BLOB_MODE = 0o444
PRIVATE_BLOB_MODE = 0o400
"""Of what is known from private registries only. The mode is also what tells it after a restart."""
PUBLIC_DIRECTORY_MODE = 0o755
PRIVATE_DIRECTORY_MODE = 0o700


def is_public(mode: int) -> bool:
    """Whether a blob of that mode may be given to clients of public registries.

    Others' read bit alone tells: whoever hands a volume to a group changes the group's bits.
    """
    return bool(mode & stat.S_IROTH)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below `root`. Names come from `Digest` values only, which cannot hold a separator."""

    root: Path

    @property
    def version(self) -> Path:
        """The file that says which layout this is."""
        return self.root / "VERSION"

    @property
    def lock(self) -> Path:
        """The file that the one process using the cache holds locked; it contains its pid."""
        return self.root / "lock"

    @property
    def catalog(self) -> Path:
        """The SQLite database."""
        return self.root / "catalog.db"

    @property
    def ballast(self) -> Path:
        """The file that is given up when the disk is full."""
        return self.root / "ballast"

    @property
    def admin_token(self) -> Path:
        """The secret of the admin listener, unless the settings name another place."""
        return self.root / "admin-token"

    @property
    def blobs(self) -> Path:
        """Complete, verified blobs and manifests."""
        return self.root / "blobs"

    @property
    def partials(self) -> Path:
        """Downloads that are not complete."""
        return self.root / "partial"

    @property
    def quarantine(self) -> Path:
        """What was found to be wrong, kept for a while for somebody to look at."""
        return self.root / "quarantine"

    @property
    def clean(self) -> Path:
        """The file that is there after the last process to use the cache has ended well."""
        return self.root / "clean"

    @property
    def temporary(self) -> Path:
        """Small files on their way to `blobs`; whatever is here when the store opens is waste."""
        return self.partials / "new"

    def blob(self, digest: Digest) -> Path:
        """Where the complete blob lies, or will lie; two hex digits spread the directory."""
        return Path(self.blob_text(digest))

    def blob_text(self, digest: Digest) -> str:
        """The same as text, which takes a tenth of the time to make."""
        return f"{self.root}/blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"

    def partial(self, digest: Digest) -> Path:
        """Find the directory of one download: `data` and `map`."""
        return self.partials / digest.algorithm / digest.hex
