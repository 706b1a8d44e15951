"""One file more in a folder that is scanned, for as long as a test lasts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol


class Cached(Protocol):
    """What `functools.cache` makes of a function."""

    cache_clear: Callable[[], None]


@contextmanager
def add_file(folder: Path, package: ModuleType, name: str, text: str, find: Cached) -> Iterator[None]:
    """Let `find`, which scans `package`, come across the module `name`, which lies in another folder."""
    (folder / f"{name}.py").write_text(text)
    before = list(package.__path__)
    package.__path__ = [*before, str(folder)]
    find.cache_clear()
    try:
        yield
    finally:
        package.__path__ = before
        find.cache_clear()
        sys.modules.pop(f"{package.__name__}.{name}", None)
