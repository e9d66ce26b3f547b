"""Which token server may be asked, and which may be told a mirror's credentials (U-6, P22).

A realm is chosen by whoever answers 401. Left alone, that would let a mirror send the password to
a server of its choosing, or send us into the LAN behind us.
"""

from __future__ import annotations

from collections.abc import Collection

from yarl import URL

from entrepot.upstream.inside import is_inside, read_address

# Suffixes under which strangers live next to each other: one more label makes an owner. Not the
# whole public suffix list: a suffix missing here only widens trust inside one country's registry,
# and credentials still need the mirror itself to be the attacker.
_SECOND_LEVELS = ("ac", "co", "com", "edu", "gob", "gov", "ne", "net", "nom", "or", "org")
# fmt: off
_COUNTRIES = (
    "ar", "au", "bd", "br", "cn", "hk", "id", "il", "in", "jp", "ke", "kr", "mx",
    "my", "nz", "pe", "ph", "pk", "sg", "th", "tr", "tw", "ua", "uk", "vn", "za",
)
# fmt: on
_SHARED_SUFFIXES = frozenset(
    f"{second}.{tld}" for second in _SECOND_LEVELS for tld in _COUNTRIES
) | {
    "aliyuncs.com",
    "amazonaws.com",
    "amazonaws.com.cn",
    "appspot.com",
    "azure.com",
    "azurecr.cn",
    "azurecr.io",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "duckdns.org",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "jfrog.io",
    "myhuaweicloud.com",
    "netlify.app",
    "ngrok.io",
    "pages.dev",
    "pkg.dev",
    "run.app",
    "tencentcloudcr.com",
    "vercel.app",
    "windows.net",
    "workers.dev",
}

# Registries whose token server is known to live elsewhere.
_BUILT_IN = (("docker.io", "auth.docker.io"),)

_ALIYUN = ".aliyuncs.com"


def registrable_domain(host: str) -> str:
    """Cut `host` down to what one owner registers; the host itself for addresses and bare names."""
    host = host.rstrip(".").lower()
    if read_address(host) is not None:
        return host
    labels = host.split(".")
    for count in (2, 3):
        if ".".join(labels[-count:]) not in _SHARED_SUFFIXES:
            return ".".join(labels[-count:])
    return ".".join(labels[-4:])


def may_be_told(realm: URL, mirror: URL, extra: Collection[str] = ()) -> bool:
    """Whether the credentials for `mirror` may be sent to `realm`.

    `extra` are the hosts that the settings name. Plain http is good enough only where the mirror
    itself is spoken to in plain http.
    """
    host, own = _host(realm), _host(mirror)
    if not _spoken(realm, mirror):
        return False
    if host == own or host in _lowered(extra):
        return True
    if is_inside(host):
        return False
    domain = registrable_domain(own)
    return (
        registrable_domain(host) == domain
        or (domain, host) in _BUILT_IN
        or (own.endswith(_ALIYUN) and host.endswith(_ALIYUN) and host.startswith("dockerauth"))
    )


def may_be_asked(realm: URL, challenger: URL, extra: Collection[str] = ()) -> bool:
    """Whether `realm` may be asked for an anonymous token, when `challenger` answered 401.

    Any server over https, or the challenger's own host; one on a loopback, link-local or private
    address only if the challenger is on such an address too, or the settings name it (SSRF).
    """
    host, own = _host(realm), _host(challenger)
    if not host or realm.scheme not in {"http", "https"}:
        return False
    if host in _lowered(extra):
        return _spoken(realm, challenger)
    if host == own:
        return _spoken(realm, challenger)
    if realm.scheme != "https" and not (is_inside(host) and challenger.scheme == "http"):
        return False
    return not is_inside(host) or is_inside(own)


def _spoken(realm: URL, mirror: URL) -> bool:
    return realm.scheme == "https" or (realm.scheme == "http" and mirror.scheme == "http")


def _host(url: URL) -> str:
    return (url.host or "").rstrip(".").lower()


def _lowered(hosts: Collection[str]) -> frozenset[str]:
    return frozenset(host.lower() for host in hosts)
