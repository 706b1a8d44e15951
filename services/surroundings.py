"""What `grimbots doctor` finds out about the machine: the way out, clock, disk, files, and who seems to call."""

from __future__ import annotations

import ipaddress
import os
import re
import resource
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grimbots.services.checkups import Finding, open_database
from grimbots.services.clients.http import Ambiguous, HttpClient, NeverSent
from grimbots.sql.database import DatabaseUnavailable
from grimbots.sql.errors import UndefinedTable

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings

ANSWER_SECONDS = 10.0
MOST_WRONG_SECONDS = 10.0
LEAST_FREE_BYTES = 2 << 30
LEAST_FILES = 4096
NGINX = Path("/etc/nginx/nginx.conf")
NGINX_CONNECTIONS, LEAST_CONNECTIONS = 512, 4096  # a worker's, where nginx.conf says nothing, and with many callers
CLICKS_LOOKED_AT = 50


async def check_outside(settings: Settings) -> list[Finding]:
    """Look at the way to Telegram, and compare its clock with ours."""
    client = HttpClient(proxy=settings.outbound_proxy)
    await client.open()
    try:
        answer = await client.request(
            "GET", settings.telegram_url, party="telegram:doctor", timeout_seconds=ANSWER_SECONDS
        )
    except (NeverSent, Ambiguous) as error:
        cure = f"let this machine reach {settings.telegram_url}: name server, firewall, OUTBOUND_PROXY"
        return [Finding("Telegram", str(error), cure)]
    finally:
        await client.close()
    return [Finding("Telegram", f"{settings.telegram_url} answers"), judge_clock(answer.headers.get("Date", ""))]


def judge_clock(date: str) -> Finding:
    """Compare our clock with the Date header of an answer that came just now."""
    try:
        wrong_seconds = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return Finding("clock", "not compared: Telegram's answer has no date")
    said = f"{abs(wrong_seconds):.0f} s {'ahead' if wrong_seconds > 0 else 'behind'} of Telegram's"
    if abs(wrong_seconds) <= MOST_WRONG_SECONDS:
        return Finding("clock", said)
    return Finding("clock", said, "let it be set: apt-get install systemd-timesyncd; charges expire by it")


def check_data(settings: Settings) -> Finding:
    """Look at the data folder: ours to write, nobody else's to read."""
    folder = Path(settings.data_dir).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data", f"{there} is not writable", f"run this as its owner, or chown it: {_name_owner(there)}")
    if there == folder and stat.S_IMODE(folder.stat().st_mode) & stat.S_IRWXO:
        return Finding("data", f"{folder} is open to every user", f"run  chmod 700 {folder}")
    return Finding("data", f"{folder} is ours")


def check_disk(settings: Settings) -> Finding:
    """Look at the room for what must not be lost: the spool, and on one machine the stores too."""
    folder = Path(settings.data_dir).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    found = os.statvfs(there)
    free_bytes = found.f_bavail * found.f_frsize
    said = f"{free_bytes / (1 << 30):.1f} GiB free for {folder}"
    if free_bytes < LEAST_FREE_BYTES:
        return Finding("disk", said, "make room: a full disk stops Postgres and Redis, and clicks are lost")
    if found.f_files and not found.f_favail:
        return Finding("disk", f"{said}, but no inode", "delete files: no new one can be made")
    return Finding("disk", said)


def check_settings_file(file: Path | None) -> Finding:
    """Look at the settings file, which holds passwords."""
    if file is None:
        return Finding("settings", "no mistake in them")
    if file.stat().st_mode & stat.S_IRWXO:
        return Finding("settings", f"{file} can be read by every user", f"run  chmod o= {file}")
    return Finding("settings", f"no mistake in {file}")


def check_limits() -> Finding:
    """Look at how many files a process may open: a connection is one. The server takes all that it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < LEAST_FILES:
        return Finding("open files", f"{most} at most", f"raise it (ulimit -Hn, LimitNOFILE=) to {LEAST_FILES} or more")
    return Finding("open files", "no limit" if most == resource.RLIM_INFINITY else f"{most} at most")


def check_nginx(file: Path = NGINX) -> Finding:
    """Look at how many connections a worker of the nginx in front may have: callers keep theirs."""
    if not (file.parent / "conf.d" / "grimbots.conf").is_file():
        return Finding("nginx", "does not stand in front here")
    try:
        found = re.search(r"^\s*worker_connections\s+(\d+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError as error:
        return Finding("nginx", f"not looked at: {error}")
    connections = int(found[1]) if found else NGINX_CONNECTIONS
    said = f"{connections} connections a worker"
    cure = f"set worker_connections in {file} to {LEAST_CONNECTIONS} or more (docs/deploy.md)"
    return Finding("nginx", said, "" if connections >= LEAST_CONNECTIONS else cure)


async def check_callers(settings: Settings) -> Finding:
    """Look at whose addresses the latest clicks have: behind a front that passes none on, all have the front's own."""
    try:
        async with open_database(settings) as db:
            rows = await db.clicks.list_latest_addresses(limit=CLICKS_LOOKED_AT)
    except (DatabaseUnavailable, UndefinedTable):
        return Finding("callers", "not looked at, as the database cannot be asked")
    return judge_callers([row.address for row in rows], bool(settings.trusted_proxies))


def judge_callers(addresses: Sequence[str], trusts_somebody: bool) -> Finding:
    """Say whether so many clicks can really have come from these addresses."""
    if len(addresses) < CLICKS_LOOKED_AT or not all(map(_is_inside, addresses)):
        return Finding("callers", "the latest clicks have visitors' addresses" if addresses else "no clicks yet")
    said = f"the latest {len(addresses)} clicks came from {', '.join(sorted(set(addresses))[:3])}"
    if trusts_somebody:
        return Finding("callers", said, "let the front send X-Forwarded-For (deploy/nginx/grimbots/proxy.conf)")
    return Finding("callers", said, "set TRUSTED_PROXIES to the address of the front: 127.0.0.1 for nginx beside it")


def _is_inside(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return True


def _name_owner(path: Path) -> str:
    return f"it belongs to user {path.stat().st_uid}, this is user {os.geteuid()}"
