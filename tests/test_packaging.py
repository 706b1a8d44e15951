"""The checkout and the wheel: however they are started, `queue` is the standard library's, and no file is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.embedded.children import stop
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.tests.ports import pick_port

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = ("conf", "handlers", "queue", "services", "sql")
DEADLINE_SECONDS = 60.0


def run(command: Sequence[str | Path], **options: Any) -> str:
    """Run a command and give what it printed; its complaint is the failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


def list_sources() -> list[Path]:
    """List the product's own Python files, relative to the root."""
    return [path.relative_to(ROOT) for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize(
    "command",
    [
        ["server.py", "--help"],
        ["-m", "grimbots.server", "--help"],
        ["-m", "grimbots.server", "serve", "--help"],
        ["-m", "pytest", "--version"],
        ["-c", "import queue; queue.Queue; queue.Empty"],
        ["-c", "import concurrent.futures as f; f.ThreadPoolExecutor(1).submit(int).result()"],
    ],
)
def test_start_in_root_finds_standard_queue(command: list[str]) -> None:
    run([sys.executable, *command], cwd=ROOT)


def test_packages_equal_folders() -> None:
    folders = {"grimbots", *(".".join(("grimbots", *path.parent.parts)) for path in list_sources())}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_package_data_matches_files() -> None:
    """Every pattern finds something, and every file that is no code is found by one."""
    data = PROJECT["tool"]["setuptools"]["package-data"]
    found: set[Path] = set()
    for package, patterns in data.items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for pattern in patterns:
            matches = set(folder.glob(pattern))
            assert matches, f"{package} has no {pattern}"
            found |= matches
    files = {path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()}
    assert {path for path in files - found if path.suffix not in (".py", ".pyc")} == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy: setuptools leaves a build/ folder, whose old files would be in the next wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "server.py"):
        shutil.copy(ROOT / name, source)
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--wheel-dir", folder, source])
    return next(folder.glob("grimbots-*.whl"))


@pytest.mark.slow
def test_wheel_holds_every_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"grimbots/{path}" for path in list_sources()} | {"grimbots/server.py"}
    assert expected <= names
    for ending in (".lua", ".sql", "example.env", "demo.json", "efi.toml"):
        assert any(name.endswith(ending) for name in names), ending
    assert [name for name in names if name.startswith(("grimbots/tests", "grimbots/deploy", "tests"))] == []


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own and give that one's `grimbots`."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    run([folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel])
    return folder / "bin" / "grimbots"


@pytest.mark.slow
@pytest.mark.gen_test(timeout=DEADLINE_SECONDS)
async def test_wheel_serves_elsewhere(installed: Path, servers_folder: Path, tmp_path: Path) -> None:
    data = servers_folder / "wheel"
    postgres_url, postgres = await start_postgres(data / "postgres", data / "postgres.log", durable=False)
    redis_url, redis = await start_redis(data / "redis", data / "redis.log", durable=False)
    port = pick_port()
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "GRIMBOTS_DATA": str(tmp_path),
    }
    run([installed, "migrate"], env=environ, cwd=tmp_path)
    server = subprocess.Popen([installed, "serve"], env=environ, cwd=tmp_path)
    try:
        assert await fetch(f"http://127.0.0.1:{port}/live", server) == 200
        assert await fetch(f"http://127.0.0.1:{port}/health", server) == 200
    finally:
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0
        await stop(redis)
        await stop(postgres)


async def fetch(url: str, server: subprocess.Popen[bytes]) -> int:
    """Ask until the server answers; its end is the failure."""
    while server.poll() is None:
        try:
            with await asyncio.to_thread(urllib.request.urlopen, url) as response:
                return int(response.status)
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"the server ended with {server.returncode}")
