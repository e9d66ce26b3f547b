"""The fake registry keeps the promises that the real ones keep."""

from __future__ import annotations

import pytest

from contracts.registry import CHECKS, CONTENT, REPOSITORY, Check
from fakes.registry import FakeRegistry


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_fake_registry(check: Check) -> None:
    async with FakeRegistry() as registry:
        for tag, pushed in CONTENT.items():
            registry.put_image(REPOSITORY, tag, pushed)
        await check(registry.url)
