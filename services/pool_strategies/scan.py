"""Find the strategies: every file of this folder is looked at once, and each `Strategy` in it is known by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from grimbots.services import plugins, pool_strategies
from grimbots.services.pool_strategies.base import Strategy


@cache
def find_strategies() -> Mapping[str, Strategy]:
    """Return every strategy this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name.
    """
    kinds = plugins.scan(pool_strategies, Strategy, by="name")  # type: ignore[type-abstract]
    return MappingProxyType({name: kind() for name, kind in kinds.items()})
