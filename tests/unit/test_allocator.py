"""The allocator's settings are taken, and a process with them still gives memory back."""

from __future__ import annotations

import subprocess
import sys

_PROBE = """
from entrepot.allocator import keep_buffers
kept = keep_buffers()
before = int(open('/proc/self/statm').read().split()[1])
blocks = [bytes(1 << 20) for _ in range(300)]
del blocks
after = int(open('/proc/self/statm').read().split()[1])
print(kept, (after - before) * 4096 < 100 << 20)
"""


def test_taken_and_memory_beyond_a_bound_goes_back_to_the_system() -> None:
    command = [sys.executable, "-c", _PROBE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
