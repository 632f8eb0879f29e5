"""New agents: ``name`` and ``name:version``, reached by the Responses protocol (protocols B, C)."""
