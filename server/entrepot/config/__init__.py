"""YAML to typed settings; every mistake at once, each with its place in the file."""
