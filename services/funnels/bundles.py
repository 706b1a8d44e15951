"""Bundles: a funnel and the files it shows as one zip file, to take to another account or installation."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from grimbots.services.errors import Invalid
from grimbots.services.funnels.definitions import list_files
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.media import MAX_FILE_BYTES

DEFINITION = "funnel.json"
MAX_DEFINITION_BYTES = 5_000_000


def write_bundle(path: Path, definition: Mapping[str, Any], files: Mapping[str, Iterable[bytes]]) -> None:
    """Write a bundle whole or not at all, never over a file that is there.

    Raises:
        Invalid: there is a file already, or the folder cannot be written.
    """
    draft = path.with_name(f"{path.name}.part")
    try:
        with zipfile.ZipFile(draft, "x", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr(DEFINITION, json.dumps(definition, ensure_ascii=False, indent=2) + "\n")
            for name, chunks in files.items():
                with bundle.open(name, "w", force_zip64=True) as file:
                    file.writelines(chunks)
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise Invalid(f"{path} is there already: name another file, or move that one away") from error
    except OSError as error:
        raise Invalid(f"cannot write {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def read_bundle(path: Path, folder: Path) -> tuple[Any, dict[str, Path]]:
    """Unpack a bundle's funnel, and only the files it shows, into an empty folder; returns what `read_files` does.

    Raises:
        Invalid: it is no bundle, or a file in it is larger than Telegram takes.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            _unpack(bundle, DEFINITION, folder, MAX_DEFINITION_BYTES)
            definition, _ = read_files(folder / DEFINITION)
            for name in list_files(definition):
                if name in bundle.namelist() and name != DEFINITION:
                    _unpack(bundle, name, folder, MAX_FILE_BYTES)
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:  # broken; no funnel; locked
        raise Invalid(f"{path} is no bundle that `grimbots funnel export` has written") from error
    return read_files(folder / DEFINITION)


def _unpack(bundle: zipfile.ZipFile, name: str, folder: Path, most_bytes: int) -> None:
    """Unpack one file; its name is one that a funnel may give, without folders."""
    if bundle.getinfo(name).file_size > most_bytes:
        raise Invalid(f"{name} in the bundle is over {most_bytes // 1_000_000} MB")
    with bundle.open(name) as packed, (folder / name).open("xb") as file:
        shutil.copyfileobj(packed, file)
