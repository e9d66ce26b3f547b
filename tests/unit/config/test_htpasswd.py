from __future__ import annotations

import bcrypt
import pytest

from entrepot.config.htpasswd import read_htpasswd

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()


def test_each_name_has_its_hash() -> None:
    apache = HASH.replace("$2b$", "$2y$")
    text = f"# people\nalice:{apache}\n\nbob:{HASH}\n"
    assert read_htpasswd(text) == {"alice": apache.encode(), "bob": HASH.encode()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nobody"),
        ("alice:$apr1$salt$hash", "line 1 "),
        ("alice:secret", "line 1 "),
        (f"alice:{HASH}\nbob", "line 2 "),
        (f":{HASH}", "line 1 "),
        (f"alice:{HASH}\nalice:{HASH}", "second time"),
        (f"alice:{HASH[:-1]}", "line 1 "),
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        read_htpasswd(text)
    assert "secret" not in str(caught.value)
    assert "alice" not in str(caught.value)
