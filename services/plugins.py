"""Find what a folder brings: every file of it is looked at once, and each class in it is known by a name of its own."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import TypeVar

C = TypeVar("C")


def scan(folder: ModuleType, base: type[C], *, by: str) -> Mapping[str, type[C]]:
    """Return every subclass of `base` in the files of a folder, by its attribute `by`.

    Raises:
        ValueError: two classes have the same name.
    """
    found: dict[str, type[C]] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        for plugin in _list_classes(importlib.import_module(f"{folder.__name__}.{info.name}"), base):
            name = getattr(plugin, by)
            if name in found:
                raise ValueError(f"two kinds of {base.__name__} are named {name!r}")
            found[name] = plugin
    return MappingProxyType(found)


def _list_classes(module: ModuleType, base: type[C]) -> list[type[C]]:
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [value for value in classes if issubclass(value, base) and not inspect.isabstract(value)]
