"""Find the gateways: every file of this folder, and of `described/`, is looked at once; each has a name of its own."""

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
from grimbots.services.gateways.described_gateways import find_described

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings


@cache
def find_gateways() -> Mapping[str, type[Gateway]]:
    """Return every provider this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name, or a description is wrong (DescriptionError).
    """
    found: dict[str, type[Gateway]] = {}
    modules = [
        importlib.import_module(f"{gateways.__name__}.{info.name}") for info in pkgutil.iter_modules(gateways.__path__)
    ]
    for gateway in [*(written for module in modules for written in _gateways_of(module)), *find_described()]:
        if gateway.name in found:
            raise ValueError(f"two gateways are named {gateway.name!r}")
        found[gateway.name] = gateway
    return MappingProxyType(found)


def offered_gateways(settings: Settings) -> Mapping[str, type[Gateway]]:
    """Return the providers a seller of this installation may connect."""
    return {name: gateway for name, gateway in find_gateways().items() if gateway.is_offered(settings)}


def _gateways_of(module: ModuleType) -> list[type[Gateway]]:
    """Return the gateways of a module; what others are made from has no name."""
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [c for c in classes if issubclass(c, Gateway) and not inspect.isabstract(c) and hasattr(c, "name")]
