"""Find the kinds of steps: every file of steps/ is looked at once, and each `Step` in it is known by its `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from grimbots.services import plugins
from grimbots.services.funnels import steps
from grimbots.services.funnels.steps.base import Step


@cache
def find_kinds() -> Mapping[str, type[Step]]:
    """Return every kind of step this installation's code knows, by name.

    Raises:
        ValueError: two files give the same kind.
    """
    return plugins.scan(steps, Step, by="kind")  # type: ignore[type-abstract]
