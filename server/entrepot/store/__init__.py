"""The disk: blobs, partials, catalog."""
