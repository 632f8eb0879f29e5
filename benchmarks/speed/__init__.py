"""How fast this plugin is beside its peers: `python -m benchmarks.speed`, see ../README.md."""
