"""Which Authorization goes where: on a real registry that checks it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connecting import connected
from entrepot.errors import AttemptError, MirrorDenied
from entrepot.oci.reference import RepositoryName, Tag
from fakes.images import image
from fakes.registry import FakeRegistry, Fault
from fakes.tokens import basic

PAUSE, OTHER = RepositoryName("pause"), RepositoryName("some/other")
TAG = Tag("3.1")
CREDENTIALS = {"username": "me", "password": "s3cret"}


def filled(registry: FakeRegistry) -> None:
    for repository in (PAUSE, OTHER):
        registry.put_image(repository, TAG, image(1))


@pytest.mark.rule("U-5", "U-10")
async def test_anonymous_tokens_are_asked_for_and_kept() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        for _ in range(3):
            await mirror.head_manifest(PAUSE, TAG)
        statuses = [one.status for one in registry.asked("/manifests/")]
        assert statuses == [401, 200, 200, 200]
        (asked,) = registry.asked("/token")
        assert "scope=repository:pause:pull" in asked.query
        assert "Authorization" not in asked.headers


@pytest.mark.rule("U-5")
async def test_the_next_repository_needs_no_challenge_first() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        await mirror.head_manifest(OTHER, TAG)
        assert [one.status for one in registry.asked("/some/other/")] == [200]
        assert len(registry.asked("/token")) == 2


@pytest.mark.rule("P24")
async def test_a_token_refused_mid_way_is_fetched_anew_once() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        registry.expire_tokens()
        registry.clear()
        await mirror.head_manifest(PAUSE, TAG)
        assert [one.status for one in registry.asked("/manifests/")] == [401, 200]
        registry.clear()
        registry.fault(Fault("expire_tokens", path="/manifests/", times=None))
        with pytest.raises(MirrorDenied):
            await mirror.head_manifest(PAUSE, TAG)
        assert [one.status for one in registry.asked("/manifests/")] == [401, 401]


@pytest.mark.rule("P24")
async def test_a_403_to_a_kept_token_is_tried_with_a_new_one_once() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        registry.clear()
        registry.fault(Fault("status", status=403, path="/manifests/"))
        await mirror.head_manifest(PAUSE, TAG)
        registry.fault(Fault("status", status=403, path="/manifests/", times=None))
        with pytest.raises(MirrorDenied):
            await mirror.head_manifest(PAUSE, TAG)
        assert [one.status for one in registry.asked("/manifests/")] == [403, 200, 403, 403]
        assert len(registry.asked("/token")) == 2


@pytest.mark.rule("U-5")
async def test_a_token_near_its_end_is_not_used_any_more() -> None:
    async with (
        FakeRegistry(token_auth=True, expires_in=300) as registry,
        connected(registry.url) as mirror,
    ):
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        cache = mirror._asker._requester._authenticator._cache
        for key, token in list(cache._tokens.items()):
            cache._tokens[key] = type(token)(token.value, asyncio.get_running_loop().time())
        await mirror.head_manifest(PAUSE, TAG)
        assert len(registry.asked("/token")) == 2
        assert [one.status for one in registry.asked("/manifests/")] == [401, 200, 200]


@pytest.mark.rule("U-5")
async def test_a_scope_called_insufficient_is_asked_for() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        wider = (
            f'Bearer realm="{registry.url}/token",service="{registry.host}",'
            'scope="repository:pause:pull repository:base:pull",error="insufficient_scope"'
        )
        registry.fault(
            Fault("status", status=403, headers={"WWW-Authenticate": wider}, path="/manifests/")
        )
        await mirror.head_manifest(PAUSE, TAG)
        assert "repository:base:pull" in registry.asked("/token")[-1].query


@pytest.mark.rule("U-6")
async def test_credentials_go_to_the_token_server_and_only_there() -> None:
    async with (
        FakeRegistry(token_auth=True, credentials=("me", "s3cret")) as registry,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        sent = {one.path: one.headers.get("Authorization", "") for one in registry.requests}
        assert sent["/token"] == basic("me", "s3cret")
        assert sent["/v2/pause/manifests/3.1"].startswith("Bearer ")


@pytest.mark.rule("U-6", "P22")
async def test_a_realm_elsewhere_is_not_told_the_credentials() -> None:
    realm = 'Bearer realm="https://evil.example/token",service="x"'
    async with (
        FakeRegistry() as registry,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        filled(registry)
        registry.fault(Fault("status", status=401, headers={"WWW-Authenticate": realm}))
        with pytest.raises(MirrorDenied, match=r"evil\.example; .* realms"):
            await mirror.head_manifest(PAUSE, TAG)
        assert len(registry.requests) == 1


@pytest.mark.rule("P22")
@pytest.mark.parametrize("realm", ["http://evil.example/token", "https://[", "file:///etc/passwd"])
async def test_a_realm_that_must_not_be_asked_is_not_asked(realm: str) -> None:
    header = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
    async with FakeRegistry() as registry, connected(registry.url) as mirror:
        registry.fault(Fault("status", status=401, headers=header))
        with pytest.raises(MirrorDenied, match="names a token server"):
            await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.rule("U-5", "U-6")
async def test_basic_is_answered_by_the_mirrors_own_credentials() -> None:
    async with FakeRegistry(basic_auth=("me", "s3cret")) as registry:
        filled(registry)
        async with connected(registry.url, credentials=CREDENTIALS) as mirror:
            for _ in range(2):
                await mirror.head_manifest(PAUSE, TAG)
            statuses = [one.status for one in registry.requests]
            assert statuses == [401, 200, 200]
        async with connected(registry.url) as stranger:
            with pytest.raises(MirrorDenied):
                await stranger.head_manifest(PAUSE, TAG)
        wrong = {"username": "me", "password": "guess"}
        async with connected(registry.url, credentials=wrong) as mirror:
            with pytest.raises(MirrorDenied):
                await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.rule("U-5")
async def test_bearer_is_preferred_to_the_basic_beside_it() -> None:
    async with (
        FakeRegistry(token_auth=True, credentials=("me", "s3cret")) as registry,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        filled(registry)
        both = f'Basic realm="a, b", Bearer realm="{registry.url}/token",service="{registry.host}"'
        registry.fault(Fault("status", status=401, headers={"WWW-Authenticate": both}))
        await mirror.head_manifest(PAUSE, TAG)
        assert [one.status for one in registry.requests] == [401, 200, 200]


@pytest.mark.rule("P23", "P25")
async def test_after_a_redirect_elsewhere_we_are_strangers() -> None:
    async with (
        FakeRegistry(token_auth=True) as backend,
        FakeRegistry(redirect_manifests=backend) as registry,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        (asked,) = backend.asked("/token")
        assert "Authorization" not in asked.headers


@pytest.mark.rule("P23")
async def test_basic_asked_for_elsewhere_is_not_answered() -> None:
    async with (
        FakeRegistry(basic_auth=("me", "s3cret")) as backend,
        FakeRegistry(redirect_manifests=backend) as registry,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        with pytest.raises(MirrorDenied):
            await mirror.head_manifest(PAUSE, TAG)
        assert all("Authorization" not in one.headers for one in backend.requests)


@pytest.mark.rule("P23")
async def test_redirected_back_to_the_mirror_we_stay_strangers() -> None:
    async with (
        FakeRegistry(token_auth=True, credentials=("me", "s3cret")) as registry,
        FakeRegistry() as detour,
        connected(registry.url, credentials=CREDENTIALS) as mirror,
    ):
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        there = {"Location": f"{detour.url}/v2/pause/manifests/3.1"}
        back = {"Location": f"{registry.url}/v2/some/other/manifests/3.1"}
        registry.fault(Fault("status", status=307, headers=there))
        detour.fault(Fault("status", status=307, headers=back))
        registry.clear()
        with pytest.raises(MirrorDenied):
            await mirror.head_manifest(PAUSE, TAG)
        assert "Authorization" not in registry.asked("/some/other/")[0].headers
        assert "Authorization" not in registry.asked("/token")[0].headers


async def test_a_changed_password_file_counts_without_a_restart(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("guess\n")
    credentials = {"username": "me", "password_file": str(password)}
    async with (
        FakeRegistry(basic_auth=("me", "s3cret")) as registry,
        connected(registry.url, credentials=credentials) as mirror,
    ):
        filled(registry)
        with pytest.raises(MirrorDenied):
            await mirror.head_manifest(PAUSE, TAG)
        password.write_text("s3cret\n")
        await mirror.head_manifest(PAUSE, TAG)
        password.unlink()
        with pytest.raises(MirrorDenied, match="cannot be read any more"):
            await mirror.head_manifest(PAUSE, TAG)


@pytest.mark.rule("A-3")
async def test_no_secret_shows_in_errors_or_reprs() -> None:
    async with (
        FakeRegistry(basic_auth=("me", "other")) as registry,
        connected(registry.url, credentials=CREDENTIALS, headers={"X-Key": "s3cret"}) as mirror,
    ):
        echo = b'{"errors":[{"code":"DENIED","message":"s3cret is wrong"}]}'
        told = {"Content-Type": "application/json", "WWW-Authenticate": "Basic"}
        registry.fault(Fault("status", status=401, body=echo, headers=told, times=2))
        with pytest.raises(AttemptError) as caught:
            await mirror.get_manifest(PAUSE, TAG)
        assert str(caught.value) == "answered 401"
        seen = [
            repr(mirror),
            repr(caught.value),
            repr(mirror._asker._requester),
            repr(vars(mirror)),
        ]
        assert not any("s3cret" in text or "bWU6" in text for text in seen)


async def test_token_servers_are_named_once_they_were_met() -> None:
    async with FakeRegistry(token_auth=True) as registry, connected(registry.url) as mirror:
        filled(registry)
        await mirror.head_manifest(PAUSE, TAG)
        await mirror.head_manifest(OTHER, TAG)
        assert mirror.token_servers == (f"{registry.url}/token",)
