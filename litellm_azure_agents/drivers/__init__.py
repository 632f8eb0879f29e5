"""The only I/O: a sync and an async driver that perform a turn's actions over pooled connections.

Drivers decide nothing: the turn decides what to send, to wait for, to try again and to give out. No
file outside this folder makes a request or touches a private part of httpx.
"""
