"""The HTTP edge towards clients: the only place that answers requests."""
