"""Files that are there already: what is brought into them, and what of them stays."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml

from programs.node import Node
from unit.setup.wishes import HUB, K8S, script, wish

CONFIG = "/etc/containerd/config.toml"
CERTS_D = "/etc/containerd/certs.d"


OLD_V2 = """\
version = 2
# mine
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.k8s.io/pause:3.9" # [not a table]
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = ""
      # about the mirrors
      [plugins."io.containerd.grpc.v1.cri".registry.mirrors]
        [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
          endpoint = [
            "https://registry-1.docker.io",
          ]
      [plugins.'io.containerd.grpc.v1.cri'.registry.configs."a.b".tls]
        insecure_skip_verify = true
      [plugins."io.containerd.grpc.v1.cri".registry.configs."a.b".auth]
        username = "me"

  # about the snapshotter
  [plugins."io.containerd.snapshotter.v1.overlayfs"]
    root_path = ""
[[streams]]
  x = ["[a]"]
"""


@pytest.mark.rule("C-2", "C-9")
async def test_an_old_configuration_keeps_all_that_has_nothing_to_do_with_it(node: Node) -> None:
    """And loses what may not stand beside config_path, which is told (C-2)."""
    node.containerd("1.7.5")
    node.put(CONFIG, OLD_V2)
    before = node.tree()
    said = await node.run(script("containerd"))
    expected = tomllib.loads(OLD_V2)
    registry = expected["plugins"]["io.containerd.grpc.v1.cri"]["registry"]
    registry["config_path"] = CERTS_D
    del registry["mirrors"], registry["configs"]["a.b"]["tls"]
    found = node.text(CONFIG)
    assert tomllib.loads(found) == expected
    assert "# mine\n" in found
    assert "  # about the snapshotter\n" in found
    assert "taken out (kept in the backup)" in said
    await node.run(script("containerd"), "--remove")
    assert node.tree() == before


@pytest.mark.parametrize(
    ("head", "table"),
    [
        ("", "cri"),
        ("version = 2\n", "io.containerd.grpc.v1.cri"),
        ("version = 3\n", "io.containerd.cri.v1.images"),
    ],
)
@pytest.mark.parametrize("version", ["1.6.20", "2.1.0"])
@pytest.mark.rule("C-2")
async def test_the_files_own_version_names_the_table(
    head: str, table: str, version: str, node: Node
) -> None:
    """containerd 2 reads files of versions 2 and 1 as well, in which its own table is ignored."""
    node.containerd(version)
    node.put(CONFIG, f'{head}root = "/x"\n')
    await node.run(script("containerd"))
    plugins = tomllib.loads(node.text(CONFIG))["plugins"]
    assert plugins == {table: {"registry": {"config_path": CERTS_D}}}


@pytest.mark.parametrize(
    "inline",
    [
        'registry.config_path = "/a"',
        'registry = { config_path = "/a" }',
    ],
)
async def test_what_is_not_understood_is_not_touched(inline: str, node: Node) -> None:
    node.containerd("1.7.5")
    node.put(CONFIG, f'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  {inline}\n')
    before = node.tree()
    with pytest.raises(RuntimeError, match=r"not safe to change by program(.|\n)*config_path"):
        await node.run(script("containerd"))
    assert node.tree() == before


BUILDKITD = {
    "line ends of Windows": '[registry."docker.io"]\r\n  mirrors = ["old"]\r\n',
    "a text of several lines": 'x = """\n[registry."docker.io"]\n"""\n',
}


@pytest.mark.parametrize("old", BUILDKITD.values(), ids=BUILDKITD.keys())
async def test_buildkitd_toml_in_another_style_is_not_touched(old: str, node: Node) -> None:
    """No program reads the result before it is put in place, as containerd does."""
    path = node.put("/etc/buildkit/buildkitd.toml", "")
    path.write_bytes(old.encode())
    with pytest.raises(RuntimeError, match="not safe to change"):
        await node.run(script("buildkit"), "--version", "0.20.0")
    assert path.read_bytes() == old.encode()


async def test_a_comment_behind_a_table_may_have_brackets(node: Node) -> None:
    path = "/etc/buildkit/buildkitd.toml"
    node.put(path, '[registry."docker.io"] # [see ours]\n  mirrors = ["old"]\n')
    await node.run(script("buildkit"), "--version", "0.20.0")
    found = tomllib.loads(node.text(path))
    assert found["registry"][HUB]["mirrors"] == ["10.0.0.5:5000"]


DAEMON = '{\n  "log-driver": "json-file", "x": {"registry-mirrors": [1]},\n  "registry-mirrors": ["https://old/"]\n}\n'


@pytest.mark.parametrize("old", ["", "{}", DAEMON, '{"insecure-registries":["10.0.0.5:5000","b"]}'])
@pytest.mark.rule("D-1")
async def test_daemon_json_keeps_what_it_has(old: str, node: Node) -> None:
    node.put("/etc/docker/daemon.json", old)
    await node.run(script("docker"), "--version", "27.0.0")
    found = json.loads(node.text("/etc/docker/daemon.json"))
    expected = json.loads(old or "{}")
    mirrors = ["http://10.0.0.5:5000/docker.io", *expected.get("registry-mirrors", [])]
    insecure = dict.fromkeys(["10.0.0.5:5000", *expected.get("insecure-registries", [])])
    ours = {"registry-mirrors": mirrors, "insecure-registries": list(insecure)}
    assert found == {**expected, **ours}


@pytest.mark.parametrize("old", ["[]", '{"registry-mirrors": "a"}', "{", '{"a" 1}'])
async def test_what_is_no_daemon_json_is_not_touched(old: str, node: Node) -> None:
    node.put("/etc/docker/daemon.json", old)
    with pytest.raises(RuntimeError, match="not safe to change"):
        await node.run(script("docker"), "--version", "27.0.0")
    assert node.text("/etc/docker/daemon.json") == old


YAMLS = {
    "other": "configs:\n  a:\n    auth: {username: b}\n",
    "mirrors": 'mirrors:\n    # mine\n    "quay.io":\n        endpoint: [https://q]\n'
    "    docker.io:\n        endpoint:\n        - https://old\n\n    z.io:\n        endpoint: []\n"
    "configs: {}\n",
    "empty": "# nothing yet\nmirrors:\n",
    "a list where its key is": "other:\n- a\n- b\nmirrors:\n  z.io:\n    endpoint: [https://z]\n",
    "document": "---\nmirrors:\n  docker.io:\n    endpoint: [https://old]\n",
}


@pytest.mark.parametrize("old", YAMLS)
@pytest.mark.rule("K-1")
async def test_registries_yaml_keeps_what_it_has(old: str, node: Node) -> None:
    path = "/etc/rancher/k3s/registries.yaml"
    node.put(path, YAMLS[old])
    await node.run(script("k3s"), "--version", "1.31.0")
    expected = yaml.safe_load(YAMLS[old])
    endpoint = {"endpoint": ["http://10.0.0.5:5000"]}
    expected["mirrors"] = {**(expected.get("mirrors") or {}), K8S: endpoint, HUB: endpoint}
    assert yaml.safe_load(node.text(path)) == expected
    assert ("# mine" in YAMLS[old]) is ("# mine" in node.text(path))
    assert "Nothing to change" in await node.run(script("k3s"), "--version", "1.31.0")


STYLES = {
    "empty braces": "mirrors: {}\n",
    "braces": "mirrors: {a: {}}\n",
    "tabs": "mirrors:\n\ta: 1\n",
    "all in braces": "{mirrors: {a.b: {endpoint: [https://a]}}}\n",
    "JSON": '{\n  "mirrors": {\n    "a.b": {"endpoint": ["https://a"]}\n  }\n}\n',
    "entries in braces": 'mirrors:\n  {"a.b": {endpoint: [https://a]}}\n',
    "line ends of Windows": "mirrors:\r\n  a.b:\r\n    endpoint: [https://a]\r\n",
    "a space before the colon": "mirrors :\n  a.b:\n    endpoint: [https://a]\n",
    "a mark at the beginning": "\ufeffmirrors:\n  a.b:\n    endpoint: [https://a]\n",
    "a question mark": "? mirrors\n: a.b:\n    endpoint: [https://a]\n",
    "two documents": "configs: {}\n---\nmirrors:\n  a.b: {}\n",
}


@pytest.mark.parametrize("old", STYLES.values(), ids=STYLES.keys())
async def test_registries_yaml_in_another_style_is_not_touched(old: str, node: Node) -> None:
    """k3s does not start with a file that is no YAML any more, or says `mirrors` twice."""
    path = node.put("/etc/rancher/k3s/registries.yaml", "")
    path.write_bytes(old.encode())
    with pytest.raises(RuntimeError, match="not safe to change"):
        await node.run(script("k3s"), "--version", "1.31.0")
    assert path.read_bytes() == old.encode()


KEPT = {
    "docker": ("/etc/docker/daemon.json", '{"registry-mirrors": ["https://mine/"], "x": 1}\n'),
    "k3s": ("/etc/rancher/k3s/registries.yaml", "mirrors:\n  z.io:\n    endpoint: [https://z]\n"),
    "buildkit": ("/etc/buildkit/buildkitd.toml", '[registry."z.io"]\n  mirrors = ["z"]\n'),
}


@pytest.mark.parametrize("with_file", [True, False], ids=["there before", "new"])
@pytest.mark.parametrize("client", KEPT)
async def test_another_mirror_takes_the_place_of_the_first(
    client: str, node: Node, *, with_file: bool
) -> None:
    """As if the first had never been there, which is switched off perhaps."""
    path, mine = KEPT[client]
    version = ("--version", "28.0.0" if client == "docker" else "1.31.0")
    if with_file:
        node.put(path, mine)
    before = node.tree()
    second = script(client, wish("10.0.0.6:5000", registries=(HUB,)))
    await node.run(second, *version)
    expected = node.text(path)
    await node.run(second, "--remove")
    await node.run(script(client), *version)
    assert "10.0.0.5" in node.text(path)
    await node.run(second, *version)
    assert node.text(path) == expected
    assert "Nothing to change" in await node.run(second, *version)
    await node.run(second, "--remove")
    assert node.tree() == before


async def test_what_somebody_added_since_stays_when_it_is_forced(node: Node) -> None:
    path = "/etc/docker/daemon.json"
    await node.run(script("docker"), "--version", "28.0.0")
    added = {**json.loads(node.text(path)), "log-driver": "local"}
    node.put(path, json.dumps(added))
    second = script("docker", wish("10.0.0.6:5000"))
    with pytest.raises(RuntimeError, match="was changed by somebody"):
        await node.run(second, "--version", "28.0.0")
    await node.run(second, "--version", "28.0.0", "--force")
    found = json.loads(node.text(path))
    assert found["log-driver"] == "local"
    assert found["registry-mirrors"][0] == "http://10.0.0.6:5000/docker.io"
