"""How many files and connections this process may have open."""

from __future__ import annotations

import resource

_MOST = 1 << 16
"""Enough for everything; some systems allow a thousand million, and some code loops over them."""
RESERVE = 256
"""For the catalog, listeners, mirrors, threads: what is open while no client is."""
_EACH = 2
"""A client that is being sent a blob holds its connection and the blob's file."""


def raise_limit() -> int:
    """Take as many descriptors as the system lets us have; tell how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return current_limit()


def current_limit() -> int:
    """Tell how many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else soft


def connections_within(descriptors: int) -> int:
    """Tell how many clients can be connected without anybody running out of `descriptors`."""
    return max(8, (descriptors - RESERVE) // _EACH)
