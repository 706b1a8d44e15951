"""Precedence: what runs for somebody who waits for an answer comes before jobs, where there is a line."""

from __future__ import annotations

from contextvars import ContextVar

comes_first: ContextVar[bool] = ContextVar("comes_first", default=False)
"""Set for a request (handlers/base.py), read by the pool of Postgres sessions (sql/pools.py)."""
