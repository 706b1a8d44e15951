"""What a person types or a program pipes. Secrets are never part of the command line, which every user can read."""

from __future__ import annotations

import getpass
import sys

from grimbots.services.errors import Invalid


def ask_secret(what: str, twice: bool = False) -> str:
    """Ask for a secret without showing it; standard input that is no terminal gives it as its first line.

    Raises:
        Invalid: nothing was given, or the second time differs.
    """
    if not sys.stdin.isatty():
        given = sys.stdin.readline().strip()
    else:
        given = getpass.getpass(f"{what}: ").strip()
        if twice and getpass.getpass(f"{what}, once more: ").strip() != given:
            raise Invalid(f"the two differ: run the command again and type the same {what.lower()} twice")
    if not given:
        raise Invalid(f"no {what.lower()} was given: type it when asked, or pipe it into the command")
    return given


def ask(what: str) -> str:
    """Ask for what anybody may see; standard input that is no terminal gives it as its first line.

    Raises:
        Invalid: nothing was given.
    """
    given = (input(f"{what}: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not given:
        raise Invalid(f"no {what.lower()} was given: type it when asked, or pipe it into the command")
    return given
