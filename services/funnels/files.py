"""Read a funnel from a folder: its JSON file and the files that lie beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grimbots.conf.foreign_json import read_json
from grimbots.services.errors import Invalid
from grimbots.services.funnels.definitions import list_files


def read_files(path: Path) -> tuple[Any, dict[str, Path]]:
    """Return the definition and where the files it names lie, by name; one that is not there is left to the check.

    Raises:
        Invalid: the file cannot be read, or is not JSON.
    """
    try:
        definition = read_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8 text: save it with that encoding") from error
    except json.JSONDecodeError as error:
        raise Invalid(f"{path}:{error.lineno}:{error.colno}: this is not JSON ({error.msg})") from error
    except ValueError as error:  # JSON, but with a number of thousands of digits, or too deep
        raise Invalid(f"{path} holds a number or a nesting that nobody can read") from error
    beside = {name: path.parent / name for name in list_files(definition)}
    return definition, {name: file for name, file in beside.items() if _is_there(file)}


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # no file can have that name
        return False
