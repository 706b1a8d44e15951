"""gives: which kind of delivery a delivery step is. Every file of deliveries/ is looked at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from grimbots.services import plugins
from grimbots.services.funnels import deliveries
from grimbots.services.funnels.deliveries.base import DeliveryKind
from grimbots.services.funnels.fields import Rule
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place
from grimbots.services.funnels.surveys import Survey


@cache
def find_deliveries() -> Mapping[str, type[DeliveryKind]]:
    """Return every kind of delivery this installation's code knows, by name.

    Raises:
        ValueError: two files give the same kind.
    """
    return plugins.scan(deliveries, DeliveryKind, by="kind")  # type: ignore[type-abstract]


@dataclass(frozen=True, slots=True)
class Gives(Rule):
    """An object whose `kind` is a kind of delivery, and its fields."""

    def read(self, raw: Any) -> DeliveryKind:
        if not isinstance(raw, dict):
            raise Wrong("not_object")
        kinds = find_deliveries()
        kind = raw.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            raise Wrong(
                "unknown_kind" if "kind" in raw else "missing", "kind", kind=kind, kinds=", ".join(sorted(kinds))
            )
        rules = dict(_list_rules(kinds[kind]))
        for name in raw:
            if name not in rules and name != "kind":
                raise Wrong("unknown_field", name)
        values = {name: _read(name, rule, raw[name]) for name, rule in rules.items() if name in raw}
        for item in dataclasses.fields(kinds[kind]):
            if item.default is item.default_factory is dataclasses.MISSING and not values.get(item.name):
                raise Wrong("missing", item.name)
        return kinds[kind](**values)

    def check(self, value: DeliveryKind, survey: Survey, step: Any) -> Iterator[Finding]:
        for name, rule in _list_rules(type(value)):
            for finding in rule.check(getattr(value, name), survey, step):
                yield dataclasses.replace(finding, field=join_place(name, finding.field))


def _list_rules(kind: type[DeliveryKind]) -> Iterator[tuple[str, Rule]]:
    for item in dataclasses.fields(kind):
        yield item.name, item.metadata["rule"]


def _read(name: str, rule: Rule, raw: Any) -> Any:
    try:
        return rule.read(raw)
    except Wrong as wrong:
        raise Wrong(wrong.code, join_place(name, wrong.place), **wrong.facts) from None
