"""How Python values go into Postgres and come out: process-wide, the same for every connection, set on import.

jsonb <-> dict (a list needs `Json`: a bare list is an array) · timestamptz <-> aware datetime · bytea <-> bytes.
"""

from typing import Any

import psycopg2
from psycopg2 import extensions
from psycopg2.extras import Json

__all__ = ["Json"]


def _read_bytes(value: Any, cursor: Any) -> bytes | None:
    view = psycopg2.BINARY(value, cursor)
    return None if view is None else bytes(view)


extensions.register_adapter(dict, Json)
extensions.register_type(extensions.new_type(psycopg2.BINARY.values, "BYTES", _read_bytes))
