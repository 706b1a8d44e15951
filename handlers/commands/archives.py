"""Backups as files: a tar of what was saved and its manifest, readable by its owner only, encrypted by age if asked.

The tar appears under its name when it is whole and on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grimbots.conf.programs import run
from grimbots.services.errors import Invalid

MANIFEST = "manifest.json"


@contextmanager
def make_folder(beside: Path) -> Iterator[Path]:
    """Give a folder of mode 0700 on the same disk, and remove it with all that is in it."""
    with TemporaryDirectory(prefix=".grimbots-", dir=beside) as name:
        yield Path(name)


async def pack(folder: Path, archive: Path, recipient: str, **known: Any) -> None:
    """Pack every file of `folder` with a manifest that says what is `known` and what each file must be.

    Raises:
        ProgramError: it was to be encrypted for `recipient`, and age is not there or failed.
    """
    sums = {file.name: _sum(file) for file in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({**known, "sha256": sums}, indent=2) + "\n", encoding="utf-8")
    draft = archive.with_name(f".{archive.name}.{os.getpid()}.new")
    try:
        await _write(folder, draft, recipient)
        draft.rename(archive)
        _sync(archive.parent)
    finally:
        draft.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path) -> Mapping[str, Any]:
    """Unpack a tar into an empty folder and give its manifest.

    Raises:
        Invalid: it is no backup, or not whole.
    """
    try:
        _extract(archive, folder)
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        wrong = [name for name, expected in manifest["sha256"].items() if _sum(folder / name) != expected]
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError) as error:
        raise Invalid(f"{archive} is no backup of ours, or not whole ({error}): {_advise(archive)}") from error
    if wrong:
        raise Invalid(f"{archive} is damaged ({', '.join(wrong)}): take another backup")
    return manifest


def _extract(archive: Path, folder: Path) -> None:
    """Take plain files out of a tar, and nothing that leads elsewhere (`extractall` learnt that in Python 3.11.4)."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name == Path(member.name).name else None
            if content is None:
                raise ValueError(f"{member.name} is no file of a backup")
            with (folder / member.name).open("wb") as file:
                shutil.copyfileobj(content, file)


async def _write(folder: Path, draft: Path, recipient: str) -> None:
    plain = folder / "tar" if recipient else draft
    descriptor = os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    files = sorted(folder.iterdir())
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for member in files:
                if member != plain:
                    tar.add(member, member.name)
        file.flush()
        os.fsync(file.fileno())
    if recipient:
        await run(["age", "--encrypt", f"--recipient={recipient}", f"--output={draft}", plain], package="age")
        draft.chmod(0o600)
        _sync(draft)


def _advise(archive: Path) -> str:
    if archive.suffix == ".age":
        return f"decrypt it first: age --decrypt --identity <your key> --output {archive.stem} {archive}"
    return "take another backup"


def _sum(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
