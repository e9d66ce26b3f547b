"""The policy: names, fills, manifests and tags, listings. No sockets, no HTTP library."""
