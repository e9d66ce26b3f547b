"""Nothing secret is told: not in the log, even at debug, not in metrics, not in an answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import bcrypt
import pytest

from entrepot.oci.digest import Digest
from fakes.images import Image, image
from fakes.registry import FakeRegistry, Fault
from programs.entrepot import Entrepot
from wire.client import Answer, ask, client

# Everything secret that is configured or sent has this in it, or is counted below.
MARK = "hunter2"
LOGIN = ("alice", f"{MARK}-client")
MIRROR_LOGIN = {"username": "robot", "password": f"{MARK}-mirror"}
NAMES = [f"{one}.example" for one in ("tokens", "basic", "cdn", "broken", "echo", "leading")]
KNOWN_BY_LOGIN = {"tokens.example", "basic.example", "echo.example"}
CLIENTS_OWN = (
    ("Authorization", "Basic " + base64.b64encode(f"{LOGIN[0]}:{LOGIN[1]}".encode()).decode()),
    ("Cookie", f"session={MARK}-cookie"),
    ("X-Api-Key", f"{MARK}-header"),
)
ECHO = json.dumps(
    {"errors": [{"code": "DENIED", "message": f"no {MARK}-mirror for you, {MARK}-extra"}]}
).encode()


def forms(text: str) -> Iterator[str]:
    """How a secret may be written."""
    yield text
    yield base64.b64encode(text.encode()).decode().rstrip("=")


def found(text: str, secrets: set[str]) -> list[str]:
    return sorted(one for secret in secrets for one in forms(secret) if one in text)


def picture(registry: str) -> Image:
    """One of its own, so that nothing is answered from what another one brought."""
    return image(registry, layers=[5000])


async def every_way(address: str, registry: str) -> list[Answer]:
    """A pull, and everything else that may be asked, with what clients should not send."""
    told = f"?ns={registry}&token={MARK}-query"
    here = picture(registry)
    digest = Digest.of(here.layers[0])
    paths = [
        "/v2/app/manifests/1", f"/v2/app/manifests/{here.digest}", f"/v2/app/blobs/{digest}",
        "/v2/app/manifests/none", "/v2/app/tags/list", f"/v2/app/referrers/{here.digest}",
        "/v2/app/blobs/sha256:" + "0" * 64,
    ]  # fmt: skip
    answers = [
        await ask(address, method, path + told, *CLIENTS_OWN)
        for path in paths
        for method in ("GET", "HEAD")
    ]
    strange = [f"/v2/evil/x?ns=evil&password={MARK}-query", f"http://u:{MARK}-url@m/v2/x/tags/list"]
    answers += [await ask(address, "GET", target, *CLIENTS_OWN) for target in strange]
    return answers


async def told_to_admins(
    address: str, token: str, registries: Mapping[str, object]
) -> dict[str, Answer]:
    """Everything that the admin listener tells, the status page of somebody logged in included."""
    bearer = ("Authorization", f"Bearer {token}")
    lines = [
        "POST /status/login HTTP/1.1",
        f"Host: {address}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len('token=' + token)}",
        "",
        f"token={token}",
    ]
    async with client(address) as one:
        await one.send_bytes("\r\n".join(lines).encode())
        login = await one.hear("POST")
    cookie = ("Cookie", (login.header("Set-Cookie") or "").partition(";")[0])
    named = [f"{name}/app:1" for name in registries if name in {"tokens.example", "cdn.example"}]
    paths = [
        "/status.json", "/v1/status", "/v1/images", "/v1/ledger", "/v1/ledger/mirrors",
        "/v1/keeps", *(f"/v1/why?name={one}" for one in named),
    ]  # fmt: skip
    told = {path: await ask(address, "GET", path, bearer) for path in paths}
    for path in ("/status", *(f"/status/image?name={one}" for one in named)):
        told[path] = await ask(address, "GET", path, cookie)
    return told


def mirrors_of(registries: Mapping[str, object]) -> dict[str, object]:
    return {name: {"mirrors": [mirror], "private": True} for name, mirror in registries.items()}


def sent_by_us(*registries: FakeRegistry) -> set[str]:
    """What we have sent along, and the signatures that we were given."""
    seen = set()
    for registry in registries:
        for one in registry.requests:
            credentials = one.headers.get("Authorization", "").partition(" ")[2]
            seen |= {credentials} if credentials else set()
            if "Signature" in one.query:
                seen |= {one.query, one.query.partition("Signature=")[2]}
    return seen


def arm(broken: FakeRegistry, echoing: FakeRegistry, leading: FakeRegistry) -> None:
    """Make them fail with secrets in what they say."""
    broken.fault(Fault("expired_url", path="/blobs/", times=None))
    json_type = {"Content-Type": "application/json"}
    for status in (401, 403, 500):
        fault = Fault("status", status=status, body=ECHO, times=4, path="/v2/", headers=json_type)
        echoing.fault(fault)
    for target in (
        f"http://u:{MARK}-location@elsewhere.invalid/x",
        f"ftp://elsewhere.invalid/?X-Amz-Signature={MARK}-signature",
        f"https://elsewhere.invalid/x?X-Amz-Signature={MARK}-signature",
        f"http://127.0.0.1:9/x?sig={MARK}-signature",
    ):
        headers = {"Location": target}
        leading.fault(Fault("status", status=307, times=3, path="/blobs/", headers=headers))


def settings_of(fakes: Mapping[str, FakeRegistry]) -> dict[str, dict[str, object]]:
    """A mirror for each registry: the fakes, and one behind each kind of proxy."""
    login = {"credentials": MIRROR_LOGIN, "headers": {"X-Extra": f"{MARK}-extra"}}
    told: dict[str, dict[str, object]] = {
        name: {"url": fake.url, **(login if name in KNOWN_BY_LOGIN else {})}
        for name, fake in fakes.items()
    }
    proxied = {"url": "http://proxied.invalid", "name": "proxied"}
    credentials = {"username": "p", "password": f"{MARK}-socks"}
    socks = {"proxy": "socks5://127.0.0.1:9", "proxy_credentials": credentials}
    told["proxy.example"] = {**proxied, "proxy": f"http://p:{MARK}-proxy@127.0.0.1:9"}
    told["socks.example"] = {**proxied, **socks}
    return told


@pytest.mark.rule("A-3", "P25")
@pytest.mark.timeout(120)
async def test_nothing_secret_is_told(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(LOGIN[1].encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text(f"{LOGIN[0]}:{hashed}\n")
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        pair = (MIRROR_LOGIN["username"], MIRROR_LOGIN["password"])
        tokens = await start(FakeRegistry(token_auth=True, credentials=pair))
        basic = await start(FakeRegistry(basic_auth=pair))
        cdn = await start(FakeRegistry(redirect_blobs_to="cdn"))
        broken = await start(FakeRegistry(redirect_blobs_to="cdn"))
        echoing = await start(FakeRegistry(basic_auth=("robot", "another")))
        leading = await start(FakeRegistry())
        for name, one in (("tokens", tokens), ("basic", basic), ("cdn", cdn), ("broken", broken)):
            one.put_image("app", "1", picture(f"{name}.example"))
        arm(broken, echoing, leading)
        asked = [tokens, basic, cdn, broken, echoing, leading]
        registries = settings_of(dict(zip(NAMES, asked, strict=True)))
        settings = {
            "registries": mirrors_of(registries),
            "auth": {"htpasswd": str(tmp_path / "users")},
            "log": {"level": "debug"},
            "timeouts": {"headers": "5s", "overtake": "500ms", "connect": "1s"},
        }
        entrepot = await start(Entrepot(settings, tmp_path / "entrepot"))
        address = entrepot.url.removeprefix("http://")
        answers: dict[str, list[Answer]] = {}
        for name in registries:
            answers[name] = await every_way(address, name)
        wrong = ("Authorization", "Basic " + base64.b64encode(f"x:{MARK}-guess".encode()).decode())
        answers["guess"] = [await ask(address, "GET", "/v2/app/tags/list?ns=cdn.example", wrong)]
        admin = entrepot.admin_url.removeprefix("http://")
        metrics = await ask(admin, "GET", "/metrics")
        token = (entrepot.cache / "admin-token").read_text().strip()
        pages = await told_to_admins(admin, token, registries)
        secrets = {
            *sent_by_us(tokens, basic, cdn, cdn.cdn, broken.cdn, echoing),
            *(f"{user}:{word}" for user, word in (LOGIN, pair, ("p", f"{MARK}-socks"))),
            MARK, token, hashed, "fake-token-", "X-Amz-Signature",
        }  # fmt: skip
        log = entrepot.log()
    # It went as it should, or nothing was shown.
    for name in ("tokens.example", "basic.example", "cdn.example"):
        assert [one.status for one in answers[name][:6]] == [200] * 6, name
    for name in ("echo.example", "proxy.example", "socks.example"):
        assert answers[name][0].status == 502, name
    assert answers["guess"][0].status == 401
    assert len([one for one in secrets if "Signature=" in one]) >= 2
    assert found(log, secrets) == []
    assert found(metrics.body.decode(), secrets) == []
    for path, page in pages.items():
        assert page.status == 200, path
        assert found(page.body.decode() + str(page.headers), secrets) == [], path
    for name in ("echo.example", "leading.example", "proxy.example"):
        assert name in pages["/status"].body.decode(), "the page tells nothing of it"
    for name, several in answers.items():
        for each in several:
            told = each.body.decode("latin-1") if each.status >= 400 else ""
            assert found(told + str(each.headers), secrets) == [], name
