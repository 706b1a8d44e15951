"""Versions: published once, never changed, kept parsed in each process."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grimbots.services import contents, gateway_accounts, payers
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.funnels.check import check
from grimbots.services.funnels.definitions import Version, list_files, read_version
from grimbots.services.funnels.media import sniff
from grimbots.services.funnels.problems import Problem, describe
from grimbots.services.funnels.sources import Source, digest, measure, read_chunks, read_head

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

REMEMBERED_VERSIONS = 256


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing gave. `is_new` is False where the funnel's current version says exactly the same already."""

    funnel_id: int
    version_id: int
    number: int
    is_new: bool


class VersionCache:
    """The versions this process used last. They never change, so nothing has to be invalidated."""

    def __init__(self) -> None:
        self._versions: OrderedDict[int, Version] = OrderedDict()

    def find(self, version_id: int) -> Version | None:
        """Return a version that is remembered."""
        if version_id in self._versions:
            self._versions.move_to_end(version_id)
        return self._versions.get(version_id)

    def keep(self, version: Version) -> None:
        """Remember a version; the one longest unused is forgotten for it."""
        self._versions[version.id] = version
        if len(self._versions) > REMEMBERED_VERSIONS:
            self._versions.popitem(last=False)


async def load(app: App, version_id: int, tx: Transaction | None = None) -> Version:
    """Return a version. Within a transaction pass it: a second connection asked for there could wait for this one.

    Raises:
        NotFound: no row has this id.
    """
    version = app.versions.find(version_id)
    if version is None:
        row = await (tx or app.db).funnel_versions.find_by_id(version_id=version_id)
        if row is None:
            raise NotFound(f"there is no funnel version {version_id}")
        version, _ = read_version(row.definition["funnel"], version_id=version_id, assets=row.definition["assets"])
        app.versions.keep(version)
    return version


async def get_current(app: App, account_id: int, name: str) -> Version:
    """Return the current version of an account's funnel.

    Raises:
        NotFound: the account has no published funnel of that name.
    """
    funnel = await app.db.funnels.find_by_name(account_id=account_id, name=name)
    if funnel is None or funnel.current_version_id is None:
        raise NotFound(f"this account has no published funnel {name!r}")
    return await load(app, funnel.current_version_id)


async def read_out(app: App, account_id: int, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the definition of a funnel's current version and the contents of its files, by name.

    Raises:
        NotFound: as `get_current`.
    """
    version = await get_current(app, account_id, name)
    row = await app.db.funnel_versions.find_by_id(version_id=version.id)
    files = {}
    for file, sha256 in version.assets.items():
        asset = await app.db.assets.find(account_id=account_id, sha256=sha256)
        files[file] = b"".join([chunk async for chunk in contents.read_chunks(app, asset)])
    return row.definition["funnel"], files


async def publish(app: App, account_id: int, definition: Any, files: Mapping[str, Source], *, actor: str) -> Published:
    """Make a definition the current version of its funnel, made if the account has none of that name.

    `files` are those it shows, by name. Leads on earlier versions finish on them. Publishing what is current already
    changes nothing.

    Raises:
        Invalid: the check found mistakes; the message has one a line. Or a file changed meanwhile.
    """
    problems = await asyncio.to_thread(check, definition, files) or await _check_payers(app, account_id, definition)
    if problems:
        raise Invalid("\n".join(map(str, problems)))
    assets = {name: await asyncio.to_thread(digest, files[name]) for name in list_files(definition)}
    stored = {"funnel": definition, "assets": assets}
    async with app.db.transaction() as tx:
        funnel = await tx.funnels.lock_or_add(account_id=account_id, name=definition["name"], now=app.clock())
        current = await tx.funnel_versions.find_current(account_id=account_id, funnel_id=funnel.id)
        if current is not None and current.definition == stored:
            return Published(funnel.id, current.id, current.number, is_new=False)
        for name, sha256 in assets.items():
            await _store_asset(app, tx, account_id, name, sha256, files[name])
        version = await _add_version(app, tx, account_id, funnel.id, stored)
        details = {"name": definition["name"], "number": version.number}
        subject = f"funnel:{funnel.id}"
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="funnel.publish",
            subject=subject,
            details=details,
            at=app.clock(),
        )
    return Published(funnel.id, version.id, version.number, is_new=True)


async def _check_payers(app: App, account_id: int, definition: Any) -> list[Problem]:
    """Find charges that none of the account's gateways could make, for the funnel never asks what they need."""
    needs = await gateway_accounts.list_needs(app, account_id)
    version, _ = read_version(definition, version_id=0, assets={})
    return [describe(finding, "pt-BR") for finding in payers.check(version, needs)]


async def _store_asset(app: App, tx: Transaction, account_id: int, name: str, sha256: str, source: Source) -> None:
    """Store a content that the account has not yet, chunk by chunk: no process ever holds all of it in memory.

    Raises:
        Invalid: it is not what was checked.
    """
    asset_id = await tx.assets.add(
        account_id=account_id,
        sha256=sha256,
        content_type=sniff(read_head(source)),
        size_bytes=measure(source),
        now=app.clock(),
    )
    if asset_id is None:
        return
    chunks, stored = enumerate(read_chunks(source)), hashlib.sha256()
    while (found := await asyncio.to_thread(next, chunks, None)) is not None:
        number, chunk = found
        stored.update(chunk)
        await tx.assets.add_chunk(account_id=account_id, asset_id=asset_id, number=number, content=chunk)
    if stored.hexdigest() != sha256:
        raise Invalid(f"{name} changed while it was being published: publish it again")


async def _add_version(app: App, tx: Transaction, account_id: int, funnel_id: int, stored: Mapping[str, Any]) -> Row:
    version = await tx.funnel_versions.add(
        account_id=account_id, funnel_id=funnel_id, definition=stored, now=app.clock()
    )
    await tx.funnels.set_current(account_id=account_id, funnel_id=funnel_id, version_id=version.id)
    return version
