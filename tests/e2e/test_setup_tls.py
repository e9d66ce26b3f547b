"""The one line over HTTPS, with a CA that only the node's administrator knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from entrepot.setup.containers import DROP_IN
from fakes.images import Index
from fakes.outside import Outside
from fakes.registry import FakeRegistry
from laboratory import IMAGE
from programs.containerd import Containerd
from programs.node import Node
from programs.podman import Podman
from programs.ports import Port
from unit.web.serving import serving

pytestmark = pytest.mark.e2e

CA = "/etc/ssl/lan.pem"
LINE = 'curl -fsSL --cacert "$1" "$2" | sh'


@pytest.mark.rule("C-5", "C-8", "P-1")
async def test_containerd_and_podman_trust_the_ca_that_is_named(
    tmp_path: Path, pause_index: Index
) -> None:
    authority = trustme.CA()
    node = Node(tmp_path / "node")
    ca = node.put(CA, authority.cert_pem.bytes().decode())
    certificate = authority.issue_cert("127.0.0.1")
    key = tmp_path / "server.key"
    certificate.private_key_pem.write_to_path(key)
    chain = tmp_path / "server.pem"
    certificate.cert_chain_pems[0].write_to_path(chain)
    tls = {"certificate": str(chain), "key": str(key)}
    with Port() as port:
        listen = [{"address": str(port), "tls": tls}]
        url = f"https://{port}"
        async with Outside() as outside, FakeRegistry() as mirror:
            mirror.put_image("pause", "3.1", pause_index)
            async with serving(tmp_path, mirror, listen=listen):
                async with Containerd(
                    tmp_path / "containerd",
                    sandbox_image=IMAGE,
                    environment=outside.environment,
                    bare_config=node.root / "etc/containerd/config.toml",
                ) as containerd:
                    page = f"{url}/setup/containerd.sh?strict&ca={CA}"
                    said = await node.command("/bin/sh", "-c", LINE, "sh", ca, page)
                    assert f"{url} answers" in said
                    await containerd.restart()
                    async with containerd.cri() as cri:
                        await cri.pull_image(IMAGE)
                page = f"{url}/setup/podman.sh?ca={CA}"
                await node.command("/bin/sh", "-c", LINE, "sh", ca, page)
                certs = node.root / "etc/containers/certs.d" / str(port)
                async with Podman(
                    tmp_path / "podman", node.text(DROP_IN), environment=outside.environment
                ) as podman:
                    await podman.podman("pull", *podman.trusting, "--cert-dir", str(certs), IMAGE)
            assert outside.asked == []
