"""Find the gateways: every file of this folder is looked at once, and each `Gateway` in it is known by its name.

So is each provider that a file describes: those of `described/`, and the banks of the API Pix, ours in `banks/`,
more in the folder that GRIMBOTS_BANKS names.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from grimbots.services import gateways
from grimbots.services.gateways.api_pix import make_gateway
from grimbots.services.gateways.bank_files import read_banks
from grimbots.services.gateways.base import Gateway
from grimbots.services.gateways.described_gateways import find_described

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings

BANKS = Path(__file__).parent / "banks"


@cache
def find_gateways() -> Mapping[str, type[Gateway]]:
    """Return every provider this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name.
        SettingsError: a bank's or a described provider's file is wrong.
    """
    found: dict[str, type[Gateway]] = {}
    modules = [info.name for info in pkgutil.iter_modules(gateways.__path__)]
    coded = [gateway for name in modules for gateway in _gateways_of(_load(name))]
    for gateway in (*coded, *find_described(), *_find_banks(BANKS)):
        if gateway.name in found:
            raise ValueError(f"two gateways are named {gateway.name!r}")
        found[gateway.name] = gateway
    return MappingProxyType(found)


def offered_gateways(settings: Settings) -> Mapping[str, type[Gateway]]:
    """Return the providers a seller of this installation may connect; a bank of GRIMBOTS_BANKS replaces one of ours.

    Raises:
        SettingsError: a bank's file is wrong.
    """
    own = _find_banks(Path(settings.banks_dir)) if settings.banks_dir else ()
    known = {**find_gateways(), **{gateway.name: gateway for gateway in own}}
    return {name: gateway for name, gateway in known.items() if gateway.is_offered(settings)}


@cache
def _find_banks(folder: Path) -> tuple[type[Gateway], ...]:
    return tuple(make_gateway(bank) for bank in read_banks(folder))


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"grimbots.services.gateways.{name}")


def _gateways_of(module: ModuleType) -> list[type[Gateway]]:
    """Return the gateways of a module; what others are made from has no name."""
    classes = [value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__]
    return [c for c in classes if issubclass(c, Gateway) and not inspect.isabstract(c) and hasattr(c, "name")]
