"""What to write on a node so that its container runtime asks an Entrepot: pure text, no I/O."""
