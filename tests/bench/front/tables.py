"""The tables of `docs/bench/front.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from grimbots.tests.bench.front.measures import CONNECTIONS
from grimbots.tests.bench.front.ratios import RATIOS, Finding, Ratio
from grimbots.tests.bench.pages import tell_figure, tell_machine, write_table

Row = Mapping[str, Any]

MEMORY = {"idle MiB": ("idle_mib", 0), "with connections MiB": ("held_mib", 0), "connections": ("held_connections", 0)}


def write_tables(report: Mapping[str, Any], found: Mapping[str, Finding]) -> str:
    """Return all tables as markdown."""
    rows = report["rows"]
    parts = {_describe(report): "", "What was aimed at": _write_ratios(found)}
    for connections in CONNECTIONS:
        parts[f"{connections} connections"] = _write_speeds(rows, connections)
    parts |= {"`kill -9` under load": _write_kills(rows), "Memory of the process": _write_memory(rows)}
    if report["soak"]:
        parts["Half load"] = _tell_soak(report["soak"])
    return "".join(f"\n{'### ' if body else ''}{title}\n{body}" for title, body in parts.items()) + "\n"


def _describe(report: Mapping[str, Any]) -> str:
    rounds = max((row["rounds"] for row in report["rows"]), default=0)
    return f"{tell_machine(report)} Medians of up to {rounds} interleaved rounds, lowest and highest in brackets."


def _write_ratios(found: Mapping[str, Finding]) -> str:
    lines = [(RATIOS[name].text, *_tell_finding(RATIOS[name], finding)) for name, finding in found.items()]
    return write_table(["ours by", "median", "interval (95 %)", "pairs", "its bound", "met"], lines)


def _tell_finding(ratio: Ratio, finding: Finding) -> tuple[str, ...]:
    bound = f"at least {ratio.least:g}" if ratio.least is not None else ""
    bound = f"at most {ratio.most:g}" if ratio.most is not None else bound
    met = ("yes" if finding.meets(ratio) else "**no**") if bound else ""
    return f"{finding.median:.2f}", f"{finding.low:.2f}–{finding.high:.2f}", f"{finding.pairs}", bound, met


def _write_speeds(rows: Iterable[Row], connections: int) -> str:
    names = {"accepts/s": ("accepts_per_second", 0), "p50 ms": ("p50_ms", 1), "p99 ms": ("p99_ms", 1)}
    names |= {"refused": ("refused", 0), "its core": ("server_core", 2), "the other core": ("other_core", 2)}
    columns = {head: (f"{name}_{connections}", digits) for head, (name, digits) in names.items()}
    lines = [
        (_title(row), row["before_200"], *(tell_figure(row, name, digits) for name, digits in columns.values()))
        for row in rows
    ]
    return write_table(["server", "before its 200", *columns], lines)


def _write_kills(rows: Iterable[Row]) -> str:
    lines = [
        (_title(row), *(f"{row['kill'][name]:,}" for name in ("kills", "accepted", "lost")))
        for row in rows
        if "kill" in row
    ]
    return write_table(["server", "kills", "answered 200", "of these never executed"], lines)


def _write_memory(rows: Iterable[Row]) -> str:
    known = [row for row in rows if "idle_mib" in row["figures"]]
    lines = [(_title(row), *(tell_figure(row, name, digits) for name, digits in MEMORY.values())) for row in known]
    return write_table(["server", *MEMORY], lines)


def _tell_soak(soak: Mapping[str, float]) -> str:
    return (
        f"\nOurs, {soak['per_second']:,.0f} updates a second for {soak['seconds'] / 60:g} minutes: "
        f"{soak['first_mib']:.1f} MiB after a tenth of it, {soak['last_mib']:.1f} MiB at the end.\n"
    )


def _title(row: Row) -> str:
    return f"**{row['title']}**" if row["system"] == "ours" else str(row["title"])
