"""Find the kinds of steps: every file of steps/ is looked at once, and each `Step` in it is known by its `kind`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import ClassVar, Protocol, TypeVar

from grimbots.services.funnels import steps
from grimbots.services.funnels.steps.base import Step


class Named(Protocol):
    """A class with a name in a funnel's JSON."""

    kind: ClassVar[str]


K = TypeVar("K", bound=Named)


@cache
def find_kinds() -> Mapping[str, type[Step]]:
    """Return every kind of step this installation's code knows, by name.

    Raises:
        ValueError: two files give the same kind.
    """
    return scan(steps, Step)  # type: ignore[type-abstract]


def scan(folder: ModuleType, base: type[K]) -> Mapping[str, type[K]]:
    """Return every subclass of `base` in the files of a folder, by its `kind`.

    Raises:
        ValueError: two files give the same kind.
    """
    found: dict[str, type[K]] = {}
    for info in pkgutil.iter_modules(folder.__path__):
        for kind in _kinds_of(importlib.import_module(f"{folder.__name__}.{info.name}"), base):
            if kind.kind in found:
                raise ValueError(f"two kinds of {base.__name__} are named {kind.kind!r}")
            found[kind.kind] = kind
    return MappingProxyType(found)


def _kinds_of(module: ModuleType, base: type[K]) -> list[type[K]]:
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [
        value
        for value in classes
        if issubclass(value, base) and not inspect.isabstract(value) and hasattr(value, "kind")
    ]
