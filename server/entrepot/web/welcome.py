"""What somebody sees who opens the server's address: what it is and what to put on a node."""

from __future__ import annotations

_TEXT = """\
This is Entrepot, a pull-through mirror for container registries.

It serves: {served}

On a node, as root, for containerd and likewise for docker, podman, k3s and others ({scheme}://{host}/setup/
has them all):

    curl -fsSL {scheme}://{host}/setup/containerd.sh | sh

Or by hand on a containerd node (1.5 and later), for k8s.gcr.io and for every other registry:

    mkdir -p /etc/containerd/certs.d/k8s.gcr.io
    cat > /etc/containerd/certs.d/k8s.gcr.io/hosts.toml <<'EOF'
    server = "https://registry.k8s.io"

    [host."{scheme}://{host}"]
      capabilities = ["pull", "resolve"]
    EOF

`server` is the registry itself, where containerd goes when this mirror does not answer or has not
got the image: https://registry-1.docker.io for docker.io, https://quay.io for quay.io, and so on.
Where registries are blocked write server = "{scheme}://{host}", so that it never tries them.

And in /etc/containerd/config.toml, once, followed by `systemctl restart containerd`:

    # containerd 1.5 to 1.7 (version = 2)
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"

    # containerd 2.x (version = 3)
    [plugins."io.containerd.cri.v1.images".registry]
      config_path = "/etc/containerd/certs.d"

Then:   crictl pull k8s.gcr.io/pause:3.1
Or:     ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d k8s.gcr.io/pause:3.1
"""


def welcome_text(host: str, served: str, scheme: str = "http") -> bytes:
    """The page for a client that reached this server as `host`, by `scheme`; UTF-8."""
    return _TEXT.format(host=host, served=served, scheme=scheme).encode()
