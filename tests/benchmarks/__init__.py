"""The yardstick: Entrepot against nginx `proxy_cache` and distribution's proxy, in one run."""
