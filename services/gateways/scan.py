"""Find the gateways: every file of this folder is looked at once, and each `Gateway` in it is known by its name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from grimbots.services import gateways
from grimbots.services.gateways.base import Gateway

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings


@cache
def find_gateways() -> Mapping[str, type[Gateway]]:
    """Return every provider this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name.
    """
    found: dict[str, type[Gateway]] = {}
    for info in pkgutil.iter_modules(gateways.__path__):
        module = importlib.import_module(f"grimbots.services.gateways.{info.name}")
        for gateway in _gateways_of(module):
            if gateway.name in found:
                raise ValueError(f"two gateways are named {gateway.name!r}")
            found[gateway.name] = gateway
    return MappingProxyType(found)


def offered_gateways(settings: Settings) -> Mapping[str, type[Gateway]]:
    """Return the providers a seller of this installation may connect."""
    return {name: gateway for name, gateway in find_gateways().items() if gateway.is_offered(settings)}


def _gateways_of(module: ModuleType) -> list[type[Gateway]]:
    classes = inspect.getmembers(module, inspect.isclass)
    return [
        c
        for _, c in classes
        if issubclass(c, Gateway) and not inspect.isabstract(c) and c.__module__ == module.__name__
    ]
