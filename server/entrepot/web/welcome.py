"""What somebody sees who opens the server's address: what it is and what to put on a node."""

from __future__ import annotations

_TEXT = """\
This is Entrepot, a pull-through mirror for container registries.

It serves: {served}

On a containerd node (1.5 and later), for k8s.gcr.io and likewise for every other registry:

    mkdir -p /etc/containerd/certs.d/k8s.gcr.io
    cat > /etc/containerd/certs.d/k8s.gcr.io/hosts.toml <<'EOF'
    server = "https://registry.k8s.io"

    [host."http://{host}"]
      capabilities = ["pull", "resolve"]
    EOF

and in /etc/containerd/config.toml, once, followed by `systemctl restart containerd`:

    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"

Then:   crictl pull k8s.gcr.io/pause:3.1
Or:     ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d k8s.gcr.io/pause:3.1
"""


def welcome_text(host: str, served: str) -> bytes:
    """The page for a client that reached this server as `host`; UTF-8."""
    return _TEXT.format(host=host, served=served).encode()
