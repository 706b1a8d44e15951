"""The spool: durable when told, in order, at least once, whatever dies; bounded; damage loses what is damaged only."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from grimbots.services import segments
from grimbots.services import spool as spools
from grimbots.services.spool import Spool, SpoolUnavailable

LIMIT_BYTES = 1 << 20
KEPT_BEFORE_KILL = 20


class Store:
    """Where records are drained to."""

    def __init__(self) -> None:
        self.portions: list[list[dict[str, Any]]] = []
        self.is_away = False

    async def take(self, records: Sequence[dict[str, Any]]) -> None:
        """Take a portion, or raise while it is away."""
        if self.is_away:
            raise ConnectionError("the store is away")
        self.portions.append(list(records))

    @property
    def numbers(self) -> list[int]:
        """The numbers of all records taken."""
        return [record["number"] for portion in self.portions for record in portion]


@pytest.fixture
def store() -> Store:
    return Store()


@asynccontextmanager
async def opened(folder: Path, limit_bytes: int = LIMIT_BYTES) -> AsyncIterator[Spool]:
    spool = Spool(folder, "things", limit_bytes)
    await spool.open()
    try:
        yield spool
    finally:
        await spool.close()


async def fill(spool: Spool, numbers: Sequence[int]) -> None:
    await asyncio.gather(*(spool.append({"number": number}) for number in numbers))


def list_files(folder: Path) -> list[Path]:
    return segments.list_paths(folder, "things")


@pytest.mark.gen_test
async def test_drain_hands_over_all_in_order_and_in_portions(tmp_path: Path, store: Store) -> None:
    async with opened(tmp_path) as spool:
        await fill(spool, range(10))
        assert await spool.drain(store.take, batch=4) == 10
    assert [len(portion) for portion in store.portions] == [4, 4, 2]
    assert (store.numbers, list_files(tmp_path)) == (list(range(10)), [])


@pytest.mark.gen_test
async def test_appends_of_one_moment_share_a_write(tmp_path: Path, monkeypatch: Any) -> None:
    groups: list[int] = []
    append = segments.Segment.append
    monkeypatch.setattr(
        segments.Segment, "append", lambda self, lines: groups.append(len(lines)) or append(self, lines)
    )
    async with opened(tmp_path) as spool:
        await fill(spool, range(100))
    assert groups == [100]


@pytest.mark.gen_test
async def test_what_the_store_did_not_take_is_handed_over_again(tmp_path: Path, store: Store) -> None:
    async with opened(tmp_path) as spool:
        await fill(spool, [1, 2])
        store.is_away = True
        with pytest.raises(ConnectionError):
            await spool.drain(store.take, batch=9)
        await fill(spool, [3])
        store.is_away = False
        await spool.drain(store.take, batch=9)
    assert store.numbers == [1, 2, 3]


@pytest.mark.gen_test
async def test_away_store_makes_no_heap_of_files(tmp_path: Path, store: Store) -> None:
    store.is_away = True
    async with opened(tmp_path) as spool:
        for number in range(5):
            await fill(spool, [number])
            with pytest.raises(ConnectionError):
                await spool.drain(store.take, batch=9)
        assert len(list_files(tmp_path)) == 2


@pytest.mark.gen_test
async def test_closed_spool_keeps_what_was_not_drained_for_the_next(tmp_path: Path, store: Store) -> None:
    async with opened(tmp_path) as spool:
        await fill(spool, [1, 2, 3])
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=9)
    assert store.numbers == [1, 2, 3]


@pytest.mark.gen_test
async def test_segment_that_is_full_is_followed_by_another(tmp_path: Path, store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(spools, "SEGMENT_BYTES", 1)
    async with opened(tmp_path) as spool:
        for number in range(3):
            await spool.append({"number": number})
        assert len(list_files(tmp_path)) == 3
        await spool.drain(store.take, batch=9)
    assert (store.numbers, list_files(tmp_path)) == ([0, 1, 2], [])


@pytest.mark.gen_test
async def test_segment_of_a_living_process_is_left_to_it(tmp_path: Path, store: Store) -> None:
    async with opened(tmp_path) as mine, opened(tmp_path) as another:
        await fill(another, [1])
        assert await mine.drain(store.take, batch=9) == 0
        assert await another.drain(store.take, batch=9) == 1


@pytest.mark.gen_test
async def test_full_spool_keeps_the_oldest_and_says_so_once(
    tmp_path: Path, store: Store, expect_errors: list[str]
) -> None:
    async with opened(tmp_path, limit_bytes=100) as spool:
        kept = []
        for number in range(10):
            try:
                await spool.append({"number": number})
            except SpoolUnavailable:
                continue
            kept.append(number)
        await spool.drain(store.take, batch=9)
        await spool.append({"number": 99})
        await spool.drain(store.take, batch=9)
    assert 0 < len(kept) < 10
    assert store.numbers == [*range(len(kept)), 99]
    assert len(expect_errors) == 1 and "is full" in expect_errors[0]


@pytest.mark.gen_test
async def test_limit_counts_what_other_processes_keep(tmp_path: Path, expect_errors: list[str]) -> None:
    async with opened(tmp_path, limit_bytes=100) as another, opened(tmp_path, limit_bytes=100) as mine:
        await fill(another, [1, 2, 3])
        with pytest.raises(SpoolUnavailable):
            await mine.append({"number": 4, "padding": "x" * 30})
    assert len(expect_errors) == 1


@pytest.mark.gen_test
async def test_disk_that_refuses_is_told_and_what_follows_is_whole(
    tmp_path: Path, store: Store, monkeypatch: Any, expect_errors: list[str]
) -> None:
    def write_half(self: Any, lines: Sequence[bytes]) -> None:
        with self.path.open("ab") as file:
            file.write(b"".join(lines)[:15])
        raise OSError(28, "No space left on device")

    async with opened(tmp_path) as spool:
        await fill(spool, [1])
        with monkeypatch.context() as patch:
            patch.setattr(segments.Segment, "append", write_half)
            with pytest.raises(SpoolUnavailable, match="No space left"):
                await spool.append({"number": 2})
        await fill(spool, [3])
        await spool.drain(store.take, batch=9)
    assert (store.numbers, len(expect_errors)) == ([1, 3], 1)


@pytest.mark.gen_test
async def test_open_is_refused_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolUnavailable, match="cannot be used"):
        await Spool(tmp_path / "file" / "spool", "things", LIMIT_BYTES).open()


@pytest.mark.gen_test
async def test_cancelled_append_is_written_all_the_same(tmp_path: Path, store: Store) -> None:
    async with opened(tmp_path) as spool:
        appending = asyncio.ensure_future(spool.append({"number": 1}))
        await asyncio.sleep(0)
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=9)
    assert store.numbers == [1]


@pytest.mark.parametrize("cut_bytes", [1, 2, 10, 21])
@pytest.mark.gen_test
async def test_torn_tail_loses_the_torn_line_only(tmp_path: Path, store: Store, cut_bytes: int) -> None:
    async with opened(tmp_path) as spool:
        await fill(spool, [1, 2])
    (path,) = list_files(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=1)
    assert (store.numbers, list_files(tmp_path)) == ([1], [])


@pytest.mark.gen_test
async def test_zeros_at_the_end_are_left_out(tmp_path: Path, store: Store) -> None:
    """A machine that lost its power may have grown the file without writing the data."""
    async with opened(tmp_path) as spool:
        await fill(spool, [1, 2])
    (path,) = list_files(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(30))
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=1)
    assert (store.numbers, list_files(tmp_path)) == ([1, 2], [])


@pytest.mark.gen_test
async def test_damaged_line_is_skipped_and_its_file_kept(
    tmp_path: Path, store: Store, expect_errors: list[str]
) -> None:
    async with opened(tmp_path) as spool:
        await fill(spool, [1, 2, 3])
    (path,) = list_files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"number":2', b'"number":7'))
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=1)
    assert (store.numbers, len(expect_errors)) == ([1, 3], 1)
    assert [kept.suffix for kept in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.gen_test
async def test_killed_processes_leave_all_they_were_told_is_kept(tmp_path: Path, store: Store) -> None:
    writers = [start_spooler(tmp_path, name) for name in ("a", "b")]
    told = {
        name: await asyncio.to_thread(read_until_killed, writer) for name, writer in zip("ab", writers, strict=True)
    }
    async with opened(tmp_path) as following:
        await following.drain(store.take, batch=7)
        assert await following.drain(store.take, batch=7) == 0
    records = [record for portion in store.portions for record in portion]
    for name in "ab":
        numbers = [record["number"] for record in records if record["writer"] == name]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= told[name] >= KEPT_BEFORE_KILL
    assert list_files(tmp_path) == []


def start_spooler(folder: Path, name: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "grimbots.tests.services.spooler", str(folder), name]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def read_until_killed(writer: subprocess.Popen[str]) -> int:
    """Kill a writer with SIGKILL once it has kept some records; return how many it was told are kept."""
    assert writer.stdout is not None
    with writer.stdout as told:
        for _ in range(KEPT_BEFORE_KILL):
            told.readline()
        writer.kill()
        count = KEPT_BEFORE_KILL + len(told.readlines())
    writer.wait()
    return count
