"""The image every pod needs first, `pause:3.1`, made here: a manifest list that really runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fakes.images import Index, image, index
from programs import require_program

SOURCE = Path(__file__).parents[1] / "e2e" / "pause.c"


def compiled(directory: Path) -> bytes:
    """A static `pause` for this machine, built in `directory`; needs gcc, takes about 0.1 s."""
    program = directory / "pause"
    gcc = require_program("gcc")
    subprocess.run([gcc, "-static", "-Os", "-s", "-o", program, SOURCE], check=True)
    return program.read_bytes()


def pause(binary: bytes) -> Index:
    """A docker manifest list for linux/amd64 and linux/arm64 (F-4).

    The arm64 image is for pulling only: the program in it is this machine's.
    """
    platforms = ("linux/amd64", "linux/arm64")
    return index(
        [
            image(
                "pause:3.1",
                platform=platform,
                rootfs={"pause": (0o755, binary), "platform": (0o644, platform.encode())},
            )
            for platform in platforms
        ]
    )
