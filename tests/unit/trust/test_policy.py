"""Policies are read, written back, checked, and found for a repository."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.trust.level import Level
from entrepot.trust.policy import (
    NEVER_MOVING,
    PINNED_WHERE_KNOWN,
    Policy,
    PolicyTable,
    Rule,
    Step,
)


@pytest.mark.parametrize(
    ("written", "steps", "frozen"),
    [
        ("pinned", (Step(Rule.PINNED),), False),
        ("first warn", (Step(Rule.FIRST, enforce=False),), False),
        ("agree: 3", (Step(Rule.AGREE, 3),), False),
        (["authority enforce", "frozen"], (Step(Rule.AUTHORITY),), True),
        (
            "pinned warn,authority , agree 2 warn",
            (
                Step(Rule.PINNED, enforce=False),
                Step(Rule.AUTHORITY),
                Step(Rule.AGREE, 2, enforce=False),
            ),
            False,
        ),
    ],
)
def test_policies_are_read(written: str | list[str], steps: tuple[Step, ...], frozen: bool) -> None:
    policy = Policy.parse(written)
    assert policy == Policy(steps, frozen)
    assert Policy.parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "is not known"),
        ([], "a policy is some of"),
        ("frozen", "a policy is some of"),
        ("trusted", "'trusted' is not known"),
        ("warn", "'warn' is not known"),
        ("pinned 2", "is not known"),
        ("agree", "agree wants how many"),
        ("agree 1", "agree wants how many"),
        ("agree 9999", "agree wants how many"),
        ("agree two", "agree wants how many"),
        ("first, pinned", "in the order pinned, authority, agree, first"),
        ("pinned, pinned warn", "each step stands once"),
    ],
)
def test_nonsense_is_refused(written: str | list[str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Policy.parse(written)


@given(st.text(max_size=30))
def test_any_text_is_a_policy_or_a_value_error(text: str) -> None:
    try:
        policy = Policy.parse(text)
    except ValueError:
        return
    assert Policy.parse(str(policy)) == policy


@pytest.mark.parametrize(
    ("written", "floor"),
    [
        ("pinned", Level.PIN),
        ("pinned warn", Level.FIRST),
        ("pinned, authority", Level.AUTHORITY),
        ("agree 2", Level.AGREEMENT),
        ("agree 2 warn", Level.FIRST),
        ("pinned, authority, first", Level.FIRST),
    ],
)
def test_the_weakest_level_ever_served(written: str, floor: Level) -> None:
    assert Policy.parse(written).floor is floor


@pytest.mark.parametrize(
    ("written", "mirrors", "authorities", "why"),
    [
        ("agree 3", 2, 0, "3 mirrors are to agree, and they are on 2 hosts"),
        ("agree 3", 3, 0, ""),
        ("agree 3", 2, 1, ""),
        ("agree 3 warn", 2, 0, ""),
        ("authority", 5, 0, "the authority is to be asked, and none of the mirrors is it"),
        ("authority", 5, 1, ""),
        ("pinned", 1, 0, ""),
        ("pinned, authority, first", 1, 0, ""),
    ],
)
def test_what_can_never_be_fulfilled(
    written: str, mirrors: int, authorities: int, why: str
) -> None:
    assert Policy.parse(written).hopeless(mirrors=mirrors, authorities=authorities) == why


def test_the_most_exact_entry_decides() -> None:
    first, agree, pinned, authority = map(Policy.parse, ("first", "agree 2", "pinned", "authority"))
    table = PolicyTable.of(
        {
            "docker.io/*": first,
            "docker.io/library/*": agree,
            "docker.io/library/nginx": pinned,
            "docker.io/library/a/*": authority,
        }
    )
    assert table.policy("docker.io", "rancher/pause") is first
    assert table.policy("docker.io", "library/redis") is agree
    assert table.policy("docker.io", "library/nginx") is pinned
    assert table.policy("docker.io", "library/nginx/more") is agree
    assert table.policy("docker.io", "library/a/b/c") is authority
    assert table.policy("docker.io", "library") is first
    assert table.policy("quay.io", "library/redis") is PINNED_WHERE_KNOWN


def test_kubernetes_names_are_frozen_unless_said_otherwise() -> None:
    first = Policy.parse("first")
    assert PolicyTable.of({}).policy("registry.k8s.io", "pause") is NEVER_MOVING
    assert PolicyTable.of({"registry.k8s.io": first}).policy("registry.k8s.io", "pause") is first
    assert PolicyTable.of({}, first).policy("quay.io", "a") is first


@pytest.mark.parametrize("name", ["*", "docker.io/lib*", "docker.io/*/x", "/x"])
def test_stars_stand_at_the_end_only(name: str) -> None:
    with pytest.raises(ValueError, match="is not a registry"):
        PolicyTable.of({name: NEVER_MOVING})
