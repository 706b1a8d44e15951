"""Migrating: forward only, once, by one at a time, under traffic, and never over a changed past."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from grimbots.sql import migrate as module
from grimbots.sql.migrate import ROOT, MigrationError, migrate, pending
from grimbots.tests.sql.deadlines import become_true

ADD_PLACES = "CREATE TABLE places (id bigint PRIMARY KEY, name text);\n"
INDEX_PLACES = "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS places_name ON places (name);\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a folder like `sql/` with one migration and one index."""
    for folder in ("migrations", "indexes"):
        (tmp_path / folder).mkdir()
    (tmp_path / "migrations/0001_add_places.sql").write_text(ADD_PLACES)
    (tmp_path / "indexes/places.sql").write_text(INDEX_PLACES)
    return tmp_path


@pytest.fixture
def user(empty_database_url: str) -> Iterator[Any]:
    """Give a connection of somebody who uses the database meanwhile; in a transaction until it commits."""
    connection = psycopg2.connect(empty_database_url)
    yield connection
    connection.close()


def read(connection: Any, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall()
    connection.commit()
    return rows


@pytest.mark.gen_test
async def test_migrate_brings_an_empty_database_up(empty_database_url):
    names = sorted(path.stem for path in (ROOT / "migrations").glob("*.sql"))
    assert await pending(empty_database_url) == names
    assert await migrate(empty_database_url) == names
    assert await pending(empty_database_url) == []


@pytest.mark.gen_test
async def test_migrate_twice_does_nothing(empty_database_url):
    await migrate(empty_database_url)
    assert await migrate(empty_database_url) == []


@pytest.mark.gen_test
async def test_migrate_by_two_at_once_applies_once(empty_database_url):
    names = sorted(path.stem for path in (ROOT / "migrations").glob("*.sql"))
    both = await asyncio.gather(migrate(empty_database_url), migrate(empty_database_url))
    assert sorted(both) == [[], names]


@pytest.mark.gen_test
async def test_migrate_while_another_does_gives_up_in_words(empty_database_url, root, user, monkeypatch):
    monkeypatch.setattr(module, "LOCK_PATIENCE_SECONDS", 0.4)
    read(user, f"SELECT pg_advisory_lock({module.LOCK_KEY})")
    with pytest.raises(MigrationError, match="another migration is running"):
        await migrate(empty_database_url, root)


@pytest.mark.gen_test
async def test_migrate_applies_only_what_is_new(empty_database_url, root):
    await migrate(empty_database_url, root)
    (root / "migrations/0002_add_towns.sql").write_text("CREATE TABLE towns ();")
    assert await pending(empty_database_url, root) == ["0002_add_towns"]
    assert await migrate(empty_database_url, root) == ["0002_add_towns"]


@pytest.mark.gen_test
async def test_migrate_with_a_changed_file_is_refused(empty_database_url, root):
    await migrate(empty_database_url, root)
    (root / "migrations/0001_add_places.sql").write_text(ADD_PLACES + "-- one word more\n")
    with pytest.raises(MigrationError, match=r"0001_add_places was changed after it was applied.*restore the file"):
        await migrate(empty_database_url, root)
    with pytest.raises(MigrationError, match="0001_add_places was changed"):
        await pending(empty_database_url, root)


@pytest.mark.gen_test
async def test_migrate_with_a_missing_file_is_refused(empty_database_url, root):
    await migrate(empty_database_url, root)
    (root / "migrations/0001_add_places.sql").rename(root / "migrations/0001_add_towns.sql")
    with pytest.raises(MigrationError, match=r"0001_add_places was applied.*is missing: run newer code"):
        await migrate(empty_database_url, root)


@pytest.mark.gen_test
async def test_migrate_with_a_number_behind_the_last_is_refused(empty_database_url, root):
    (root / "migrations/0001_add_places.sql").rename(root / "migrations/0003_add_places.sql")
    await migrate(empty_database_url, root)
    (root / "migrations/0002_add_towns.sql").write_text("CREATE TABLE towns ();")
    with pytest.raises(MigrationError, match="0002_add_towns comes before 0003_add_places"):
        await migrate(empty_database_url, root)


@pytest.mark.gen_test
async def test_migrate_with_a_number_twice_is_refused(empty_database_url, root):
    (root / "migrations/0001_add_towns.sql").write_text("CREATE TABLE towns ();")
    with pytest.raises(MigrationError, match=r"0001_add_towns\.sql has the number of 0001_add_places"):
        await migrate(empty_database_url, root)


@pytest.mark.gen_test
async def test_migrate_that_fails_keeps_nothing_and_names_the_line(empty_database_url, root, user):
    (root / "migrations/0002_add_towns.sql").write_text("CREATE TABLE towns ();\nSELECT x FROM nowhere;\n")
    with pytest.raises(MigrationError, match='0002_add_towns:2: relation "nowhere" does not exist; nothing'):
        await migrate(empty_database_url, root)
    assert read(user, "SELECT name, to_regclass('towns') FROM schema_migrations") == [("0001_add_places", None)]


@pytest.mark.gen_test
async def test_migrate_waits_a_little_for_a_table_in_use_and_gives_up_in_words(
    empty_database_url, root, user, monkeypatch
):
    monkeypatch.setattr(module, "TABLE_LOCK_TIMEOUT", "100ms")
    await migrate(empty_database_url, root)
    user.cursor().execute("INSERT INTO places VALUES (1, 'one')")
    (root / "migrations/0002_rename.sql").write_text("ALTER TABLE places ADD town text;")
    with pytest.raises(MigrationError, match="0002_rename: a table it changes stayed in use for 100ms"):
        await migrate(empty_database_url, root)
    user.commit()
    assert await migrate(empty_database_url, root) == ["0002_rename"]


@pytest.mark.gen_test
async def test_index_is_built_while_the_table_is_written(empty_database_url, root, user):
    (root / "indexes/places.sql").rename(root / "places.sql")
    await migrate(empty_database_url, root)
    user.cursor().execute("INSERT INTO places VALUES (1, 'one')")
    (root / "places.sql").rename(root / "indexes/places.sql")
    building = asyncio.create_task(migrate(empty_database_url, root))
    second = psycopg2.connect(empty_database_url)
    second.autocommit = True
    waiting = "SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'"
    await become_true(lambda: bool(read(second, waiting)))
    second.cursor().execute("INSERT INTO places VALUES (2, 'two')")
    user.commit()
    await building
    assert read(second, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'places_name'::regclass") == [(True,)]
    second.close()


@pytest.mark.gen_test
async def test_index_whose_building_broke_off_is_built_anew(empty_database_url, root, user):
    shutil.move(root / "indexes/places.sql", root / "places.sql")
    await migrate(empty_database_url, root)
    user.cursor().execute("INSERT INTO places VALUES (1, 'same'), (2, 'same')")
    user.commit()
    shutil.move(root / "places.sql", root / "indexes/places.sql")
    with pytest.raises(MigrationError, match="the index places_name could not be built: could not create unique index"):
        await migrate(empty_database_url, root)
    user.cursor().execute("DELETE FROM places WHERE id = 2")
    user.commit()
    await migrate(empty_database_url, root)
    assert read(user, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'places_name'::regclass") == [(True,)]
