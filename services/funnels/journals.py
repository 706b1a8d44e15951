"""Journals: what happened to a lead, written down as JSON and read back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, get_args

from grimbots.services.funnels.events import Event

KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def dump(event: Event) -> dict[str, Any]:
    """Write an event; instants are ISO texts."""
    values = {item.name: getattr(event, item.name) for item in fields(event)}
    texts = {name: value.isoformat() for name, value in values.items() if isinstance(value, datetime)}
    return {"kind": type(event).__name__, **values, **texts}


def load(raw: Mapping[str, Any]) -> Event:
    """Read an event back."""
    values = {name: value for name, value in raw.items() if name != "kind"}
    for name in ("until", "expires_at"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    event: Event = KINDS[raw["kind"]](**values)
    return event
