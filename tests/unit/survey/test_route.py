"""The way to a mirror in a few words, and no password among them."""

from __future__ import annotations

import pytest

from entrepot.config import MirrorSettings
from entrepot.survey.route import route_text


@pytest.mark.parametrize(
    ("settings", "environment", "text"),
    [
        ({}, {}, "direct"),
        ({"family": "ipv6"}, {}, "direct (ipv6)"),
        ({"addresses": ["192.0.2.7"]}, {}, "direct to 192.0.2.7"),
        ({"proxy": "socks5://u:s3cret@proxy.example:1080"}, {}, "socks5://proxy.example:1080"),
        ({}, {"https": "http://u:s3cret@proxy.example:3128"}, "http://proxy.example:3128"),
        ({"proxy": "direct"}, {"https": "http://proxy.example:3128"}, "direct"),
    ],
)
def test_routes(settings: dict[str, object], environment: dict[str, str], text: str) -> None:
    mirror = MirrorSettings.model_validate({"url": "https://m.example", **settings})
    assert route_text(mirror, environment) == text
