"""`grimbots funnel simulate|replay|explain`: what a funnel will do, would have done, and did."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from grimbots.conf.settings import Settings
from grimbots.services import accounts, stories
from grimbots.services.errors import Invalid
from grimbots.services.funnels import versions
from grimbots.services.funnels.check import check
from grimbots.services.funnels.definitions import Version, list_files, read_version
from grimbots.services.funnels.effects import Effect, Say
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.replays import Difference
from grimbots.services.funnels.simulations import Report, simulate
from grimbots.services.funnels.sources import digest
from grimbots.services.funnels.texts import LANGUAGES, format_duration, format_money

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

EXAMPLES = Path(__file__).parent / "demo"
MOST_LEADS, MOST_DAYS = 1_000_000, 365


def add_to(verbs: Any) -> None:
    """Add the verbs."""
    parser = verbs.add_parser("simulate", help="let made-up leads walk a funnel; the same seed gives the same report")
    parser.add_argument("funnel", help="a file, an example (demo, consultoria, completo), or a published funnel's name")
    parser.add_argument("--account", help="of a published funnel")
    parser.add_argument("--leads", type=int, default=1000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=simulate_funnel)
    parser = verbs.add_parser("replay", help="say where an edited funnel would have led a lead another way")
    parser.add_argument("file", type=Path, help="the edited funnel")
    _add_lead(parser)
    parser.set_defaults(run=replay)
    parser = verbs.add_parser("explain", help="say why a lead got a step's message, or did not")
    parser.add_argument("step", help="its id")
    _add_lead(parser)
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0], help="of the answer")
    parser.set_defaults(run=explain)


async def simulate_funnel(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Simulate, and print the report."""
    if not 1 <= arguments.leads <= MOST_LEADS or not 1 <= arguments.days <= MOST_DAYS:
        raise Invalid(f"simulate 1 to {MOST_LEADS} leads over 1 to {MOST_DAYS} days")
    version = await _find_version(server, settings, arguments)
    report = simulate(version, leads=arguments.leads, days=arguments.days, seed=arguments.seed)
    print(json.dumps(asdict(report), ensure_ascii=False) if arguments.json else _write_report(report, version.language))
    return 0


async def replay(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay a lead; exit code 1 where the versions part."""
    edited = _read_version(arguments.file)
    async with server.build_app(settings, with_queue=False) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        count, difference = await stories.replay(app, lead, edited)
    if difference is None:
        print(f"{count} events: the edited funnel would have done the same")
        return 0
    print(_write_difference(difference))
    return 1


async def explain(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Explain."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        zone = ZoneInfo(account.time_zone)
        for reason in await stories.explain(app, lead, arguments.step, arguments.language, zone):
            print(reason)
    return 0


def _add_lead(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", required=True)
    parser.add_argument("--bot", required=True, metavar="username")
    parser.add_argument("--lead", required=True, help="chat id or @username")


async def _find_version(server: Server, settings: Settings, arguments: argparse.Namespace) -> Version:
    """Read a file or an example; only a published funnel needs the database."""
    if arguments.account:
        async with server.build_app(settings, with_queue=False) as app:
            account = await accounts.get_account(app, arguments.account)
            return await versions.get_current(app, account.id, arguments.funnel)
    example = EXAMPLES / f"{Path(arguments.funnel).name}.json"
    file = Path(arguments.funnel)
    if not file.is_file() and not example.is_file():
        raise Invalid(f"{arguments.funnel} is no file and no example; a published funnel needs its --account")
    return _read_version(file if file.is_file() else example)


def _read_version(path: Path) -> Version:
    """Read a funnel that has no mistakes.

    Raises:
        Invalid: it has; the message has one a line.
    """
    definition, files = read_files(path)
    if problems := check(definition, files):
        raise Invalid("\n".join(map(str, problems)))
    assets = {name: digest(files[name]) for name in list_files(definition)}
    return read_version(definition, version_id=1, assets=assets)[0]


def _write_report(report: Report, language: str) -> str:
    lines = [
        f"{report.funnel}: {report.leads} leads in {report.days} days (seed {report.seed})",
        f"{report.charges} charges, {report.paid} paid, {format_money(report.revenue_cents, language)}",
        f"messages per day: {', '.join(map(str, report.sends_per_day))}",
    ]
    if report.discount_cents:
        lines.append(f"coupons took {format_money(report.discount_cents, language)} off")
    if any(report.nudges.values()):
        lines.append(", ".join(f"{count} {what}s" for what, count in report.nudges.items()))
    if report.longest_wait["step"]:
        lasts = format_duration(report.longest_wait["seconds"], language)
        lines.append(f"longest wait: {lasts} at {report.longest_wait['step']}")
    width = max((len(row["step"]) for row in report.steps), default=0)
    for row in report.steps:
        came = f"{row['leads']:>8} leads {row['share']:>6.1%}"
        lines.append(f"  {row['step']:<{width}} {row['kind']:<9} {came}, went on {row['conversion']:>6.1%}")
    return "\n".join(lines)


def _write_difference(difference: Difference) -> str:
    event = f"{difference.at:%Y-%m-%d %H:%M:%S %Z}, {type(difference.event).__name__}"
    return "\n".join(
        [
            f"{event}: first different at {difference.step}",
            f"  then: {_write_effects(difference.before)}",
            f"  now:  {_write_effects(difference.after)}",
        ]
    )


def _write_effects(effects: Sequence[Effect] | None) -> str:
    if effects is None:
        return "does not come here"
    return "; ".join(_write_effect(effect) for effect in effects) or "comes here and says nothing"


def _write_effect(effect: Effect) -> str:
    if not isinstance(effect, Say):
        return str(effect)
    words = effect.body.get("text") or effect.body.get("caption") or ""
    buttons = [
        button["text"] for row in effect.body.get("reply_markup", {}).get("inline_keyboard", ()) for button in row
    ]
    return f"{effect.method} {words!r}" + (f" {buttons}" if buttons else "")
