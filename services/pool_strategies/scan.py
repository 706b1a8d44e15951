"""Find the strategies: every file of this folder is looked at once, and each `Strategy` in it is known by its name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType

from grimbots.services import pool_strategies
from grimbots.services.pool_strategies.base import Strategy


@cache
def find_strategies() -> Mapping[str, Strategy]:
    """Return every strategy this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name.
    """
    found: dict[str, Strategy] = {}
    for info in pkgutil.iter_modules(pool_strategies.__path__):
        for kind in _strategies_of(importlib.import_module(f"{pool_strategies.__name__}.{info.name}")):
            if kind.name in found:
                raise ValueError(f"two strategies are named {kind.name!r}")
            found[kind.name] = kind()
    return MappingProxyType(found)


def _strategies_of(module: ModuleType) -> list[type[Strategy]]:
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [value for value in classes if issubclass(value, Strategy) and not inspect.isabstract(value)]
