"""What the doctor says of the machine: each fault by itself, with what to do."""

from __future__ import annotations

import os
import resource
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services import surroundings
from grimbots.services.surroundings import CLICKS_LOOKED_AT, LEAST_FILES, judge_callers, judge_clock
from grimbots.tests.deploy.fronts import run_backend
from grimbots.tests.ports import pick_port


@pytest.mark.parametrize(("ahead_seconds", "said"), [(90, "ahead"), (-90, "behind")])
def test_clock_far_from_telegrams_is_said(ahead_seconds: float, said: str) -> None:
    found = judge_clock(format_datetime(datetime.now(UTC) - timedelta(seconds=ahead_seconds), usegmt=True))
    assert said in found.said and "let it be set" in found.cure


def test_clock_near_telegrams_is_well() -> None:
    assert judge_clock(format_datetime(datetime.now(UTC), usegmt=True)).cure == ""


def test_clock_without_a_date_is_not_compared() -> None:
    assert judge_clock("soon").cure == "" and "not compared" in judge_clock("").said


@pytest.mark.gen_test
async def test_telegram_out_of_reach_is_said(settings: Settings) -> None:
    nowhere = f"http://127.0.0.1:{pick_port()}"
    (found,) = await surroundings.check_outside(replace(settings, telegram_url=nowhere))
    assert f"let this machine reach {nowhere}" in found.cure


@pytest.mark.gen_test
async def test_telegram_in_reach_is_said(settings: Settings) -> None:
    with run_backend() as telegram:
        where = f"http://127.0.0.1:{telegram.port}"
        reach, clock = await surroundings.check_outside(replace(settings, telegram_url=where))
    assert (reach.cure, clock.cure) == ("", "")


def test_data_open_to_everybody_is_said(settings: Settings, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert surroundings.check_data(settings).cure == f"run  chmod 700 {tmp_path}"
    tmp_path.chmod(0o700)
    assert surroundings.check_data(settings).cure == ""
    assert surroundings.check_data(replace(settings, data_dir=str(tmp_path / "not" / "yet"))).cure == ""


def test_data_of_somebody_else_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert "as its owner" in surroundings.check_data(settings).cure


def test_full_disk_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(path: Path) -> Any:
        return SimpleNamespace(f_bavail=100, f_frsize=4096, f_files=10, f_favail=5)

    assert surroundings.check_disk(settings).cure == ""
    monkeypatch.setattr(os, "statvfs", statvfs)
    assert "make room" in surroundings.check_disk(settings).cure


def test_settings_that_everybody_reads_are_said(tmp_path: Path) -> None:
    file = tmp_path / "grimbots.env"
    file.touch(mode=0o640)
    assert surroundings.check_settings_file(file).cure == surroundings.check_settings_file(None).cure == ""
    file.chmod(0o644)
    assert surroundings.check_settings_file(file).cure == f"run  chmod o= {file}"


@pytest.mark.parametrize(("most", "is_well"), [(1024, False), (LEAST_FILES, True), (resource.RLIM_INFINITY, True)])
def test_few_open_files_are_said(most: int, is_well: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, most))
    assert (surroundings.check_limits().cure == "") is is_well


@pytest.mark.parametrize(
    ("events", "is_well"),
    [("worker_connections 768;", False), ("worker_connections 16384;", True), ("# worker_connections 16384;", False)],
)
def test_few_connections_of_nginx_are_said(events: str, is_well: bool, tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(f"events {{\n\t{events}\n}}\n")
    assert surroundings.check_nginx(file).cure == ""  # it may be somebody else's
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "grimbots.conf").touch()
    assert (surroundings.check_nginx(file).cure == "") is is_well


@pytest.mark.parametrize(
    ("addresses", "trusts", "cure"),
    [
        ([], True, ""),
        (["127.0.0.1"] * (CLICKS_LOOKED_AT - 1), True, ""),  # a few may be our own
        (["127.0.0.1"] * CLICKS_LOOKED_AT, True, "X-Forwarded-For"),
        (["127.0.0.1"] * CLICKS_LOOKED_AT, False, "TRUSTED_PROXIES"),
        (["10.0.0.7", ""] * CLICKS_LOOKED_AT, True, "X-Forwarded-For"),
        (["127.0.0.1"] * CLICKS_LOOKED_AT + ["198.41.128.7"], True, ""),
    ],
)
def test_front_that_hides_callers_is_said(addresses: list[str], trusts: bool, cure: str) -> None:
    found = judge_callers(addresses, trusts)
    assert cure in found.cure and bool(found.cure) is bool(cure)


@pytest.mark.gen_test
async def test_callers_are_read_from_the_latest_clicks(settings: Settings, database_url: str) -> None:
    assert (await surroundings.check_callers(replace(settings, database_url=database_url))).said == "no clicks yet"
    away = await surroundings.check_callers(replace(settings, database_url="postgresql:///gone?host=/nowhere"))
    assert "cannot be asked" in away.said
