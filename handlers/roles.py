"""What a process is there for, as `grimbots serve` was told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """`http`: it serves the public port. `work`: it runs jobs. At least one of them."""

    http: bool = True
    work: bool = True


EVERYTHING = Role()
