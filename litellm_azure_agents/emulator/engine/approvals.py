"""Which MCP calls need the user's approval; no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def needs_approval(servers: Sequence[Mapping[str, Any]], label: str, tool: str) -> bool:
    """Whether a call needs approval by the rules of these MCP servers. By default it does."""
    for server in servers:
        if server["server_label"] != label:
            continue
        rule = server.get("require_approval") or "always"
        if isinstance(rule, str):
            return rule == "always"
        if tool in ((rule.get("never") or {}).get("tool_names") or ()):
            return False
        always = rule.get("always")
        # With only an `always` list, tools outside it need no approval.
        listed = (always or {}).get("tool_names") or ()
        return always is None or tool in listed or rule.get("never") is not None
    return True
