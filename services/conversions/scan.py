"""Find the networks: every file of this folder is looked at once, and each `Network` in it is known by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from grimbots.services import conversions, plugins
from grimbots.services.conversions.base import Network


@cache
def find_networks() -> Mapping[str, type[Network]]:
    """Return every network this installation's code knows, by name.

    Raises:
        ValueError: two files give the same name.
    """
    return plugins.scan(conversions, Network, by="name")  # type: ignore[type-abstract]
