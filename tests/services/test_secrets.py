"""The master key: made once, guarded, and its loss or change said in words at start."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.secrets import KEY_BYTES, MasterKeyError, Vault, open_vault


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "master.key"


@pytest.mark.gen_test
async def test_first_start_makes_a_key_only_its_owner_reads(database: Any, key_file: Path) -> None:
    vault = await open_vault(key_file, database)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert await database.installation.find(name="master_key_id") == vault.key_id
    assert [path.name for path in key_file.parent.iterdir()] == ["master.key"]


@pytest.mark.gen_test
async def test_next_start_reads_the_same_key(database: Any, key_file: Path) -> None:
    sealed = (await open_vault(key_file, database)).encrypt("token")
    assert (await open_vault(key_file, database)).decrypt(sealed) == "token"


@pytest.mark.gen_test
async def test_processes_starting_together_agree_on_one_key(database: Any, key_file: Path) -> None:
    vaults = await asyncio.gather(*(open_vault(key_file, database) for _ in range(5)))
    assert len({vault.key_id for vault in vaults}) == 1


@pytest.mark.gen_test
async def test_start_says_when_the_key_is_lost(database: Any, key_file: Path) -> None:
    await open_vault(key_file, database)
    key_file.unlink()
    with pytest.raises(MasterKeyError, match=r"is missing.*Restore the file from your backup"):
        await open_vault(key_file, database)
    assert not key_file.exists()


@pytest.mark.gen_test
async def test_start_says_when_the_key_was_changed(database: Any, key_file: Path, tmp_path: Path) -> None:
    await open_vault(key_file, database)
    key_file.write_text("A" * 43 + "\n")
    with pytest.raises(MasterKeyError, match="Put the right key file back"):
        await open_vault(key_file, database)


@pytest.mark.gen_test
async def test_start_refuses_a_key_others_can_read(database: Any, key_file: Path) -> None:
    await open_vault(key_file, database)
    key_file.chmod(0o644)
    with pytest.raises(MasterKeyError, match="chmod 600"):
        await open_vault(key_file, database)


@pytest.mark.parametrize("content", ["", "!!!not base64!!!", "c2hvcnQ"])
@pytest.mark.gen_test
async def test_start_says_when_the_key_is_damaged(database: Any, key_file: Path, content: str) -> None:
    key_file.parent.mkdir(parents=True)
    key_file.write_text(content)
    key_file.chmod(0o600)
    with pytest.raises(MasterKeyError, match="damaged"):
        await open_vault(key_file, database)


def test_decrypt_refuses_another_keys_ciphertext(vault: Vault) -> None:
    other = Vault(b"\x01" * KEY_BYTES)
    with pytest.raises(MasterKeyError, match="restore that key file"):
        other.decrypt(vault.encrypt("token"))


def test_decrypt_refuses_a_changed_ciphertext(vault: Vault) -> None:
    sealed = vault.encrypt("token")
    flipped = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    with pytest.raises(MasterKeyError, match="was changed"):
        vault.decrypt(flipped)


def test_encrypt_names_its_key_and_never_repeats_itself(vault: Vault) -> None:
    first, second = vault.encrypt("token"), vault.encrypt("token")
    assert first != second
    assert first.split(".")[:2] == ["v1", vault.key_id]
    assert "token" not in first


def test_webhook_secret_differs_by_bot_and_generation_and_fits_telegram(vault: Vault) -> None:
    made = {vault.webhook_secret(key, generation) for key in ("a", "b") for generation in (1, 2)}
    assert len(made) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret) for secret in made)


def test_nonce_binds_every_part(vault: Vault) -> None:
    assert vault.nonce(1, "23") != vault.nonce(12, "3")
    assert vault.nonce(1, 2) == vault.nonce(1, 2)
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", vault.nonce(1, 2))
