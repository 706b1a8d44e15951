"""Settings: every mistake named, no secret repeated, the file and the environment in their order."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from grimbots.conf import settings as settings_module
from grimbots.conf.settings import Settings, SettingsError, load

ROOT = Path(settings_module.__file__).parent.parent


def test_load_without_anything_gives_defaults() -> None:
    settings = load({})
    assert (settings.port, settings.host, settings.sandbox) == (8080, "127.0.0.1", False)
    assert settings.queue_slots == {"tasks": 50, "webhook": 20, "gateway": 20, "checks": 5, "campaigns": 10}


def test_load_names_every_mistake_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"PORT": "eighty", "LOG_LEVEL": "loud", "QUEUE_SLOTS": "tasks"})
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["PORT", "QUEUE_SLOTS", "LOG_LEVEL"]


def test_load_never_repeats_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"DATABASE_URL": "mysql://root:hunter2@db/x"})
    assert "hunter2" not in str(caught.value)
    assert "postgresql:" in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["socks5://grim:hunter2@p:1", "http://grim:hunter2@p", "http://grim:hunter2@p:1/x", "http://p:hunter2"]
)
def test_load_names_a_proxy_that_is_none_without_its_password(proxy: str) -> None:
    with pytest.raises(SettingsError, match="OUTBOUND_PROXY must be http://host:port") as caught:
        load({"OUTBOUND_PROXY": proxy})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "urls",
    ["asaas", "[]", '{"asaas": 1}', '{"asaas": "http://example.com"}', '{"asaas": "ftp://127.0.0.1"}', '{"a": "//x"}'],
)
def test_gateway_urls_are_https_or_of_this_machine(urls: str) -> None:
    with pytest.raises(SettingsError, match="GRIMBOTS_GATEWAY_URLS must look like"):
        load({"GRIMBOTS_GATEWAY_URLS": urls})


def test_gateway_urls_are_read_from_json() -> None:
    settings = load({"GRIMBOTS_GATEWAY_URLS": '{"asaas": "https://api.example/v3/", "x": "http://127.0.0.1:9"}'})
    assert settings.gateway_urls == {"asaas": "https://api.example/v3", "x": "http://127.0.0.1:9"}
    assert load({}).gateway_urls == {}


def test_repr_hides_secrets() -> None:
    settings = load({"DATABASE_URL": "postgresql://root:hunter2@db/x", "REDIS_URL": "redis://:hunter3@r/0"})
    assert "hunter" not in repr(settings)


def test_environment_wins_over_file(tmp_path: Path) -> None:
    file = tmp_path / "grimbots.env"
    file.write_text("# a comment\nPORT=9000\nLOG_LEVEL='warning'\n")
    settings = load({"PORT": "9001", "GRIMBOTS_ENV": str(file)})
    assert (settings.port, settings.log_level) == (9001, "WARNING")


def test_load_names_an_unknown_line_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "grimbots.env"
    file.write_text("PROT=9000\n")
    with pytest.raises(SettingsError, match=r"grimbots.env:1: 'PROT' is not a setting"):
        load({"GRIMBOTS_ENV": str(file)})


def test_load_says_when_the_named_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GRIMBOTS_ENV: cannot read"):
        load({"GRIMBOTS_ENV": str(tmp_path / "none.env")})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_sandbox_is_refused_beyond_this_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="loopback HOST only"):
        load({"GRIMBOTS_SANDBOX": "1", "HOST": host})


def test_example_env_shows_every_setting_with_its_default() -> None:
    lines = (ROOT / "conf" / "example.env").read_text().splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown == {item.metadata["name"]: item.metadata["default"] for item in fields(Settings)}
