"""Find the kinds of steps: every file of steps/ is looked at once, and each `Step` in it is known by its `kind`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType

from grimbots.services.funnels import steps
from grimbots.services.funnels.steps.base import Step


@cache
def find_kinds() -> Mapping[str, type[Step]]:
    """Return every kind of step this installation's code knows, by name.

    Raises:
        ValueError: two files give the same kind.
    """
    found: dict[str, type[Step]] = {}
    for info in pkgutil.iter_modules(steps.__path__):
        for step in _steps_of(importlib.import_module(f"{steps.__name__}.{info.name}")):
            if step.kind in found:
                raise ValueError(f"two kinds of step are named {step.kind!r}")
            found[step.kind] = step
    return MappingProxyType(found)


def _steps_of(module: ModuleType) -> list[type[Step]]:
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [value for value in classes if issubclass(value, Step) and not inspect.isabstract(value)]
