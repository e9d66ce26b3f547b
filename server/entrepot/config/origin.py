"""Where a server has its settings from, so that a command can go by the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Origin:
    """What a server was started with, and the cache that came of it; paths are absolute."""

    config: Path | None
    preset: str | None
    cache: Path

    def document(self) -> dict[str, str | None]:
        """Tell it to programs."""
        config = None if self.config is None else str(self.config)
        return {"config": config, "preset": self.preset, "cache": str(self.cache)}

    @classmethod
    def read(cls, document: Mapping[str, object]) -> Origin:
        """Read what `document` wrote; ValueError for anything else."""
        config, preset, cache = (document.get(key) for key in ("config", "preset", "cache"))
        fits = isinstance(cache, str) and all(
            isinstance(told, str | None) for told in (config, preset)
        )
        if not fits:
            raise ValueError("not the origin of settings")
        file = None if config is None else Path(str(config))
        origin = cls(file, None if preset is None else str(preset), Path(str(cache)))
        if not all(path.is_absolute() for path in (origin.cache, *([file] if file else ()))):
            raise ValueError("a relative path")
        return origin

    def options(self) -> str:
        """Write it as options of a command."""
        told = [] if self.config is None else [f"--config {self.config}"]
        told += [] if self.preset is None else [f"--preset {self.preset}"]
        return " ".join([*told, f"--cache {self.cache}"])
