"""Every way to write Entrepot into hosts.toml leads to the same image (contract 1.1b)."""

from __future__ import annotations

import pytest

from laboratory import IMAGE, Laboratory, hosts_toml

pytestmark = pytest.mark.e2e

FORMS = {
    "plain": ("", ()),
    "slash": ("/", ()),
    "v2": ("/v2", ()),
    "registry": ("/k8s.gcr.io", ()),
    "v2-registry": ("/v2/k8s.gcr.io", ()),
    "v2-registry-override_path": ("/v2/k8s.gcr.io", ("override_path = true",)),
    "skip_verify": ("", ("skip_verify = true",)),
    "header": ("", ('[host."{url}".header]', '  x-lab = "one"')),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.rule("S-1", "S-4", "C-4", "C-5", "C-6", "C-8")
async def test_pull_with_this_form_of_the_url(laboratory: Laboratory, form: str) -> None:
    path, more = FORMS[form]
    url = f"{laboratory.url}{path}"
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(url, *(one.format(url=url) for one in more)))
        assert await node.pull(IMAGE) == laboratory.digest


@pytest.mark.rule("C-7")
async def test_pull_with_entrepot_as_the_only_server(laboratory: Laboratory) -> None:
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url, only=True))
        assert await node.pull(IMAGE) == laboratory.digest


@pytest.mark.rule("C-4")
async def test_pull_with_entrepot_as_the_default_for_every_registry(
    laboratory: Laboratory,
) -> None:
    async with laboratory.node() as node:
        node.hosts_toml("_default", hosts_toml(laboratory.url))
        assert await node.pull(IMAGE) == laboratory.digest


@pytest.mark.rule("C-5")
async def test_pull_by_digest_where_entrepot_may_not_resolve_tags(laboratory: Laboratory) -> None:
    """The opposite, ["resolve"] alone, makes containerd 1.6 ask a mirror for no tag at all."""
    async with laboratory.node() as node:
        node.hosts_toml("k8s.gcr.io", hosts_toml(laboratory.url, capabilities=["pull"]))
        image = f"k8s.gcr.io/pause@{laboratory.digest}"
        assert await node.pull(image) == laboratory.digest
