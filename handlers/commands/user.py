"""`grimbots user`: people who may log in."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prompts import ask_secret
from grimbots.services import accounts, logins, second_factors

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("user", help="people who may log in").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("add", help="add a person; the password is asked for, or read from a pipe")
    parser.add_argument("email")
    parser.add_argument("--administrator", action="store_true", help="of the whole installation (the first user)")
    parser.add_argument("--account", help="the account this person works for")
    parser.add_argument("--role", default="owner", choices=accounts.ROLES)
    parser.set_defaults(run=add)
    parser = verbs.add_parser(
        "password", help="change a password, which is asked for; ends every session of the person"
    )
    parser.add_argument("email")
    parser.set_defaults(run=password)
    parser = verbs.add_parser("forget-code", help="log somebody in without a code again: telephone and codes are lost")
    parser.add_argument("email")
    parser.set_defaults(run=forget_code)
    parser = verbs.add_parser("link", help="in the sandbox: a link that logs somebody in, once, for ten minutes")
    parser.add_argument("email")
    parser.set_defaults(run=link)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a person."""
    password = ask_secret("Password", twice=True)
    async with server.build_app(settings, with_queue=False) as app:
        await accounts.add_user(
            app,
            email=arguments.email,
            password=password,
            administrator=arguments.administrator,
            account=arguments.account,
            role=arguments.role,
            actor="command",
        )
    print(f"{arguments.email} may log in now")
    return 0


async def password(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Change a person's password."""
    given = ask_secret("New password", twice=True)
    async with server.build_app(settings, with_queue=False) as app:
        await accounts.change_password(app, arguments.email, given, actor="command")
    print(f"{arguments.email} logs in with the new password now; every session of before is over")
    return 0


async def forget_code(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Ask a person for no codes any more."""
    async with server.build_app(settings, with_queue=False) as app:
        await second_factors.forget_by_command(app, arguments.email)
    print(f"{arguments.email} logs in with the password alone now, until codes are set up again")
    return 0


async def link(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a link that logs somebody in."""
    async with server.build_app(settings, with_queue=False) as app:
        token = await logins.make_link(app, arguments.email)
    print(f"http://{settings.host}:{settings.port}/login/link/{token}")
    return 0
