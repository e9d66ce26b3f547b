"""What a registry may write into WWW-Authenticate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.upstream.challenge import Challenge, parse_challenges

pytestmark = pytest.mark.rule("U-5")


def test_quoted_commas_belong_to_the_value() -> None:
    header = (
        'Bearer realm="https://auth.example/token",service="registry.example",'
        'scope="repository:a/b:pull,push"'
    )
    assert parse_challenges([header]) == (
        Challenge(
            "bearer",
            {
                "realm": "https://auth.example/token",
                "service": "registry.example",
                "scope": "repository:a/b:pull,push",
            },
        ),
    )


def test_names_are_read_in_any_case_and_order_and_spacing() -> None:
    (found,) = parse_challenges(
        ['BEARER  SERVICE = "s" ,, Realm=https://a.example/t?x=1 , scope=""']
    )
    assert found.scheme == "bearer"
    assert found.get("realm") == "https://a.example/t?x=1"
    assert found.get("service") == "s"
    assert found.get("scope") == ""
    assert found.get("error") == ""


def test_several_challenges_in_one_header_and_several_headers() -> None:
    found = parse_challenges(
        ['Negotiate, Basic realm="one, two", Bearer realm="https://a/t"', "NTLM", 'Digest a="b"']
    )
    assert [one.scheme for one in found] == ["negotiate", "basic", "bearer", "ntlm", "digest"]
    assert found[1].get("realm") == "one, two"
    assert found[2].get("realm") == "https://a/t"


def test_service_names_may_hold_colons() -> None:
    header = (
        'Bearer realm="https://dockerauth.cn-hangzhou.aliyuncs.com/auth",'
        'service="registry.aliyuncs.com:cn-hangzhou:26842"'
    )
    (found,) = parse_challenges([header])
    assert found.get("service") == "registry.aliyuncs.com:cn-hangzhou:26842"


def test_escapes_are_undone_and_the_first_of_two_counts() -> None:
    (found,) = parse_challenges([r'Bearer realm="a\"b\\c", realm="later"'])
    assert found.get("realm") == r'a"b\c'


@pytest.mark.parametrize(
    "header", ["", ",,,", 'realm="no scheme"', '"', "Bearer", 'Bearer realm="never closed', "=;="]
)
def test_nonsense_gives_no_parameters(header: str) -> None:
    assert all(not one.get("realm") for one in parse_challenges([header]))


@given(st.lists(st.text(max_size=200), max_size=4))
def test_nothing_is_raised_whatever_comes(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower() != ""


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=60))
def test_any_text_survives_quoting(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    header = f'Bearer realm="{quoted}", service=x'
    (found, *_) = parse_challenges([header])
    assert "\n" in text or found.parameters == {"realm": text, "service": "x"}
