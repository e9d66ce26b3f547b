from __future__ import annotations

import resource
import subprocess
import sys

from entrepot.descriptors import RESERVE, connections_within, current_limit

RAISE = """
import resource
from entrepot.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, min(5000, resource.getrlimit(7)[1])))
print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    told = subprocess.run([sys.executable, "-c", RAISE], capture_output=True, text=True, check=True)
    hard = min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert told.stdout.split() == [str(hard), str(hard)]


def test_clients_leave_enough_for_everything_else() -> None:
    for limit in (1024, 4096, 65536):
        assert 2 * connections_within(limit) + RESERVE <= limit


def test_a_tiny_limit_lets_somebody_in_all_the_same() -> None:
    assert connections_within(64) == 8
    assert current_limit() > 0
