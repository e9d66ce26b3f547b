"""Finds blocking calls on the event loop, including those blockbuster does not know of."""

from __future__ import annotations

import sys

import blockbuster.blockbuster
from blockbuster import BlockBuster, BlockBusterFunction, BlockingError

# Measured with blockbuster 1.5.29: none of these is caught unless registered here.
_UNWATCHED = (
    "os.open",
    "os.pread",
    "os.preadv",
    "os.pwrite",
    "os.pwritev",
    "os.readv",
    "os.writev",
    "os.fsync",
    "os.fdatasync",
    "os.ftruncate",
    "os.truncate",
    "os.fstat",
    "os.posix_fallocate",
    "os.copy_file_range",
    "os.makedirs",
    "os.utime",
    "os.chmod",
    "builtins.open",
    "io.open",
    "fcntl.flock",
    "socket.getaddrinfo",
)


class BlockingCalls:
    """Watches `package`: what it calls, directly or through a library, while a loop runs.

    `found` names the calls, in order; each also raises `blockbuster.BlockingError` where it
    happens. sendfile on a non-blocking socket is the loop's own way and is let through.
    """

    def __init__(self, package: str) -> None:
        self.found: list[str] = []
        self._buster = BlockBuster(package)
        for name in _UNWATCHED:
            self._buster.functions.setdefault(
                name, BlockBusterFunction(None, name, scanned_modules=package)
            )
        self._buster.functions["os.stat"].can_block_in("linecache.py", "updatecache")
        self._buster.functions["os.fstat"].can_block_in(
            "asyncio/unix_events.py", "_sock_sendfile_native"
        )

    def activate(self) -> None:
        found = self.found

        class CountedBlockingError(BlockingError):
            """Counted even when somebody catches it."""

            def __init__(self, func: str) -> None:
                super().__init__(func)
                found.append(func)

        # The name its wrappers raise; there is no other way to hear of a swallowed one.
        sys.modules[blockbuster.blockbuster.__name__].__dict__["BlockingError"] = (
            CountedBlockingError
        )
        self._buster.activate()

    def deactivate(self) -> None:
        self._buster.deactivate()
        sys.modules[blockbuster.blockbuster.__name__].__dict__["BlockingError"] = BlockingError
