"""The network: one mirror at a time."""
