"""`grimbots payment`: money of a payment given back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.services import accounts, refunds

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("payment", help="payments").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("refund", help="give (a part of) a payment back; a full one takes the access back too")
    parser.add_argument("payment", type=int, help="its number, as its page shows it")
    parser.add_argument("--account", required=True)
    parser.add_argument("--cents", type=int, help="only so much; all that is left if left out")
    parser.add_argument("--transfer", help="of a payment that was paid more than once: which of its transfers")
    parser.add_argument("--key", help="a word of your own: the same word asks once, however often it is said")
    parser.set_defaults(run=refund)


async def refund(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Ask for a refund; a process that runs jobs has it done within seconds, and follows it until it is settled."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        row = await refunds.ask(
            app,
            account_id=account.id,
            payment_id=arguments.payment,
            actor="command",
            end_to_end_id=arguments.transfer,
            amount_cents=arguments.cents,
            request_key=arguments.key and f"command:{arguments.key}",
        )
    print(f"{row.amount_cents} cents of payment {arguments.payment} go back: its page shows what becomes of it")
    return 0
