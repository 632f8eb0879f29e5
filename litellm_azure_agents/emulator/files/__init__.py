"""Files, vector stores, containers and search."""
