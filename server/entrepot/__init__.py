"""Entrepot: a pull-through container-registry mirror for a LAN."""

__version__ = "0.1.0"
