"""Real servers and real images, small enough to be broken on purpose."""
