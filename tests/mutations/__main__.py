"""Takes guarding lines out, one at a time, in a copy of the tree, and sees the test fail that is named for each.

    python -m grimbots.tests.mutations            all of tests/mutations/lines.py; numbers choose: 9 12 22

A test that passes without its line guards nothing; one that fails with it proves nothing, so each is run with it first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grimbots.tests.mutations.lines import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[2]
FAILED = 1  # pytest's exit code where tests ran and some failed
TEST_SECONDS = 300.0


def main(arguments: Sequence[str]) -> int:
    """Take the lines out one by one. 0: each was missed by its test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, help="of tests/FAILURES.md; all if left out")
    chosen = parser.parse_args(arguments).numbers
    guards = [guard for guard in GUARDS if not chosen or guard.number in chosen]
    with tempfile.TemporaryDirectory(prefix="grimbots-mutations-") as name:
        tree = Path(name)
        copy(tree)
        tests = list(dict.fromkeys(guard.test for guard in guards))
        if is_red(run(tree, tests)):
            print("WRONG: a test named here fails with its line in place")
            return 1
        survivors = [guard for guard in guards if not _is_missed(tree, guard)]
    print(f"{len(guards)} lines taken out, {len(guards) - len(survivors)} missed by their tests")
    return 1 if survivors else 0


def copy(tree: Path) -> None:
    """Copy what git knows or would take, and give the copy a place to be imported from before any other."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    pack = subprocess.run(["tar", "--create", "--null", "--files-from=-"], cwd=ROOT, input=names, capture_output=True)
    subprocess.run(["tar", "--extract"], cwd=tree, input=pack.stdout, check=True)
    (tree / ".types").mkdir(exist_ok=True)
    (tree / ".types" / "grimbots").symlink_to("..")


@contextmanager
def taken_out(tree: Path, guard: Guard) -> Iterator[None]:
    """Take a guard out of the copy meanwhile."""
    file = tree / guard.file
    whole = file.read_text(encoding="utf-8")
    assert whole.count(guard.text) == 1, f"{guard.file} does not have {guard.text!r} once"
    file.write_text(whole.replace(guard.text, guard.without), encoding="utf-8")
    yield
    file.write_text(whole, encoding="utf-8")


def run(tree: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy."""
    environ = {**os.environ, "PYTHONPATH": str(tree / ".types"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    return subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, timeout=TEST_SECONDS)


def is_red(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether the tests did not pass, and show how."""
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-20:]))
    return done.returncode != 0


def _is_missed(tree: Path, guard: Guard) -> bool:
    with taken_out(tree, guard):
        done = run(tree, [guard.test])
    is_missed = done.returncode == FAILED and f"FAILED {guard.test}" in done.stdout
    print(f"{'missed  ' if is_missed else 'SURVIVED'} {guard.number:2} {guard.file}: {guard.test}", flush=True)
    return is_missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
