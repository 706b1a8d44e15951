"""Read a funnel's definition (docs/funnels.md) into a Version: what `advance` walks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from grimbots.services.funnels.bodies import Shown
from grimbots.services.funnels.coupons import Coupon, read_coupons
from grimbots.services.funnels.fields import Rule
from grimbots.services.funnels.kinds import find_kinds
from grimbots.services.funnels.media import NAMED_KINDS, Medium
from grimbots.services.funnels.old_buttons import FIELD, OldButton, read_old_buttons
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_text
from grimbots.services.funnels.steps.base import Step
from grimbots.services.funnels.texts import LANGUAGES
from grimbots.services.funnels.times import DEFAULT_ZONE, find_zone

FUNNEL_FIELDS = frozenset({"name", "language", "time_zone", "start", "coupons", "steps", FIELD})
ONWARD = frozenset({"now", "answer", "time"})  # ways that need neither a tap nor a payment
STEP_ID = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Version:
    """A published funnel. `assets` gives the sha256 of each file's content by its name, `coupons` are known by their
    codes in small letters.
    """

    id: int
    name: str
    language: str
    start: str
    steps: Mapping[str, Step]
    assets: Mapping[str, str] = dataclasses.field(default_factory=dict)
    time_zone: str = DEFAULT_ZONE
    coupons: Mapping[str, Coupon] = dataclasses.field(default_factory=dict)
    old_buttons: Mapping[str, OldButton] = dataclasses.field(default_factory=dict)

    def find_zone(self) -> ZoneInfo:
        """Give its time zone."""
        return find_zone(self.time_zone) or ZoneInfo("UTC")

    def list_groups(self, charge: str) -> set[int]:
        """Give the groups that what a charge pays for lets into: every step behind it up to the next tap or payment."""
        reached: set[str] = set()
        todo = [way.target for way in self.steps[charge].exits() if way.by == "paid"] if charge in self.steps else []
        while todo:
            step = self.steps.get(todo.pop())
            if step is not None and step.id not in reached:
                reached.add(step.id)
                todo += [way.target for way in step.exits() if way.by in ONWARD]
        return {group for name in reached if (group := self.steps[name].find_group()) is not None}

    def find_media(self, medium: Medium) -> Shown | None:
        """Give a file as a message's body holds it; None where its content was never stored."""
        if medium.is_elsewhere:
            return Shown(medium.kind, medium.name, medium.follows)
        if medium.name not in self.assets:
            return None
        name = {"name": medium.name} if medium.kind in NAMED_KINDS else {}
        return Shown(medium.kind, {"asset": self.assets[medium.name], **name}, medium.follows)


def read_version(definition: Any, *, version_id: int, assets: Mapping[str, str]) -> tuple[Version, list[Finding]]:
    """Read a definition: what of it makes sense, and what is wrong with the rest."""
    findings: list[Finding] = []
    if not isinstance(definition, dict):
        findings.append(Finding("", "not_object"))
        definition = {}
    findings += [Finding(name, "unknown_field") for name in definition if name not in FUNNEL_FIELDS]
    name = _read_funnel_text(definition, "name", "", findings)
    language = _read_funnel_text(definition, "language", LANGUAGES[0], findings)
    if language not in LANGUAGES:
        findings.append(Finding("language", "unknown_language", {"languages": ", ".join(LANGUAGES)}))
        language = LANGUAGES[0]
    time_zone = _read_funnel_text(definition, "time_zone", DEFAULT_ZONE, findings)
    if find_zone(time_zone) is None:
        findings.append(Finding("time_zone", "unknown_zone", {"zone": time_zone}))
    read = _read_steps(definition.get("steps"), findings)
    steps = {name: step.priced(read) for name, step in read.items()}
    start = _read_funnel_text(definition, "start", next(iter(steps), "?"), findings)
    coupons = _read_funnel_coupons(definition.get("coupons", []), findings)
    old_buttons = read_old_buttons(definition.get(FIELD, {}), findings)
    return Version(version_id, name, language, start, steps, assets, time_zone, coupons, old_buttons), findings


def _read_funnel_coupons(raw: Any, findings: list[Finding]) -> Mapping[str, Coupon]:
    try:
        return read_coupons(raw)
    except Wrong as wrong:
        findings.append(Finding(join_place("coupons", wrong.place), wrong.code, wrong.facts))
        return {}


def _read_funnel_text(definition: Mapping[str, Any], name: str, default: str, findings: list[Finding]) -> str:
    try:
        text = read_text(definition.get(name, default))
    except Wrong as wrong:
        findings.append(Finding(name, wrong.code))
        return default
    if not text.strip():
        findings.append(Finding(name, "missing"))
    return text


def _read_steps(raw: Any, findings: list[Finding]) -> dict[str, Step]:
    if not isinstance(raw, list):
        findings.append(Finding("steps", "not_list" if raw is not None else "missing"))
        return {}
    if not raw:
        findings.append(Finding("steps", "no_steps"))
    steps: dict[str, Step] = {}
    for place, one in enumerate(raw):
        step = _read_step(f"steps[{place}]", one, findings)
        if step is not None and step.id in steps:
            findings.append(Finding("id", "duplicate_id", step=step.id))
        elif step is not None:
            steps[step.id] = step
    return steps


def _read_step(place: str, raw: Any, findings: list[Finding]) -> Step | None:
    """Read one step; None where its type or id cannot be told, or a field it needs cannot be read."""
    if not isinstance(raw, dict):
        findings.append(Finding(place, "not_object"))
        return None
    step_id = raw.get("id")
    if not isinstance(step_id, str) or not STEP_ID.fullmatch(step_id):
        findings.append(Finding(join_place(place, "id"), "bad_id" if "id" in raw else "missing"))
        return None
    kinds = find_kinds()
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        facts = {"kind": kind, "kinds": ", ".join(sorted(kinds))}
        findings.append(Finding("kind", "unknown_kind" if "kind" in raw else "missing", facts, step_id))
        return None
    return _read_fields(kinds[kind], step_id, raw, findings)


def _read_fields(kind: type[Step], step_id: str, raw: Mapping[str, Any], findings: list[Finding]) -> Step | None:
    rules, required = dict(list_rules(kind)), _list_required(kind)
    values: dict[str, Any] = {}
    unknown = [name for name in raw if name not in rules and name not in ("id", "kind")]
    findings += [Finding(name, "unknown_field", step=step_id) for name in unknown]
    for name, rule in rules.items():
        try:
            if name in raw:
                values[name] = rule.read(raw[name])
            if name in required and not values.get(name):
                raise Wrong("missing")
        except Wrong as wrong:
            findings.append(Finding(join_place(name, wrong.place), wrong.code, wrong.facts, step_id))
    return kind(id=step_id, **values) if required <= values.keys() else None


def list_rules(kind: type[Step]) -> Iterator[tuple[str, Rule]]:
    """Give the fields of a kind and how each is read, in the order of its class."""
    for item in dataclasses.fields(kind):
        if "rule" in item.metadata:
            yield item.name, item.metadata["rule"]


def _list_required(kind: type[Step]) -> set[str]:
    return {
        item.name
        for item in dataclasses.fields(kind)
        if "rule" in item.metadata and item.default is item.default_factory is dataclasses.MISSING
    }


def list_files(definition: Any) -> list[str]:
    """Give the names of the files beside it that a definition's steps show, each once."""
    version, _ = read_version(definition, version_id=0, assets={})
    shown = [medium for step in version.steps.values() for medium in step.list_media()]
    return sorted({medium.name for medium in shown if not medium.is_elsewhere})
