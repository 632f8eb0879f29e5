"""Where threads are remembered between calls; a store knows keys and ids, and no text."""
