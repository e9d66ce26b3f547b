"""A node for the doctor to look at, whose containerd is well until somebody plants a mistake."""

from __future__ import annotations

import re

from entrepot.setup.doctor import doctor_script
from programs.node import Node
from unit.setup.wishes import wish

CONFIG = "/etc/containerd/config.toml"
CERTS_D = "/etc/containerd/certs.d"
HOSTS = f"{CERTS_D}/k8s.gcr.io/hosts.toml"
SANDBOX = "k8s.gcr.io/pause:3.9"
CRI = 'plugins."io.containerd.grpc.v1.cri"'
IMAGES = 'plugins."io.containerd.cri.v1.images"'


class Patient:
    """A node whose containerd asks `mirror` for everything, and is well."""

    def __init__(self, node: Node, mirror: str) -> None:
        self.node = node
        self.mirror = mirror
        self.version, self.default = "1.7.5", ""
        self.settings = (
            f'version = 2\n[{CRI}]\n  sandbox_image = "{SANDBOX}"\n'
            f'[{CRI}.registry]\n  config_path = "{CERTS_D}"\n'
        )
        self.hosts = f'[host."{mirror}"]\n  capabilities = ["pull", "resolve"]\n'
        node.program("uname", "aarch64")

    def replace(self, old: str, new: str) -> None:
        """Change a word of config.toml."""
        assert old in self.settings
        self.settings = self.settings.replace(old, new)

    async def findings(self, *words: str) -> dict[str, str]:
        """Name -> what was said, up to the next one."""
        node = self.node
        node.containerd(self.version, self.default)
        root = str(node.root)
        if self.settings:
            node.put(CONFIG, self.settings.replace('"/etc', f'"{root}/etc'))
        if self.hosts:
            node.put(HOSTS, self.hosts)
        try:
            said = await node.run(doctor_script(wish(self.mirror)), *words)
        except RuntimeError as error:
            said = str(error)
            assert "status 1" in said
        else:
            assert "nothing wrong" in said
        return dict(re.findall(r"^!!  ([\w-]+): ((?:.|\n)*?)(?=\n\n|\Z)", said, re.MULTILINE))
