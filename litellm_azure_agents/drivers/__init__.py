"""The only I/O: a sync and an async driver that play a turn's actions over pooled connections.

They decide nothing: what is sent, waited for, tried again or given out is the turn's business. No
file outside this folder makes a request.
"""

from .aio import AsyncDriver, Playing
from .sync import SyncDriver

__all__ = ["AsyncDriver", "Playing", "SyncDriver"]
