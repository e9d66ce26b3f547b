"""The status page of the admin listener: made here, sent whole, fed by events."""
