"""Plans are values: what is equal is written once."""

from __future__ import annotations

from entrepot.setup.plan import File, Merge, Plan
from unit.setup.wishes import plan


def test_a_plan_is_equal_to_one_that_says_the_same() -> None:
    assert plan("containerd", "1.6.20") == plan("containerd", "1.7.0")
    assert plan("containerd", "1.7.0") != plan("containerd", "2.0.0")


def test_a_file_is_whole_unless_it_says_otherwise() -> None:
    assert File("/a", "b").merge is Merge.WHOLE
    assert Plan() == Plan(files=(), restart="", notes=(), impossible="")
