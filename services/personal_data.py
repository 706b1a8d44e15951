"""Personal data: what every table holds of a lead, and what its erasure does to it (services/erasures.py).

A column of text, of JSON, of bytes or of a Telegram id that is not declared here fails a test, as does one that is
declared and not there. docs/privacy.md says the same to sellers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holding:
    """A table with columns that could name a lead. `erased`: emptied or replaced; `kept`: and why."""

    erased: Sequence[str] = ()
    kept: str = ""
    columns: Sequence[str] = ()


OURS = "our own words, names and keys"
SELLERS = "of the seller and his staff, of no lead"
MACHINES = "of machines and processes, of no person"
MONEY = "the books and the law need what was paid, when, and by which transfer; none of it names the buyer"

HOLDINGS: Mapping[str, Holding] = {
    "leads": Holding(
        (
            *("chat_id", "first_name", "last_name", "username", "language_code", "status", "start_param", "step"),
            *("state", "key_encrypted", "marks"),
        )
    ),
    "clicks": Holding(
        ("fbclid", "fbp", "fbc", "ttclid", "gclid", "parameters", "address", "user_agent"),
        "which advertisement a sale came from is counted; the token is random and nobody's",
        ("token", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
    ),
    "messages": Holding(
        ("chat_id", "body", "nonce", "error", "status"),
        OURS,
        ("cause", "step", "method", "policy", "telegram_message_id"),
    ),
    "moves": Holding(("cause", "event")),
    "posts": Holding(("url", "body", "error", "status"), OURS, ("cause", "step")),
    "timers": Holding(("payload", "status"), OURS, ("kind", "cause")),
    "accesses": Holding(("user_id", "link", "status"), OURS, ("step", "remind_days")),
    "group_acts": Holding(
        ("user_id", "status"), "what a bot did and how it went", ("act", "cause", "outcome", "error")
    ),
    "provider_events": Holding(
        ("query", "headers", "body"), OURS, ("dedup_key", "suffix", "verified", "status", "reason")
    ),
    "payments": Holding(
        ("error",),
        MONEY,
        (
            *("step", "cause", "items", "description", "currency", "state", "idempotency_key", "txid", "provider_id"),
            *("end_to_end_id", "code", "flags"),
        ),
    ),
    "payment_refusals": Holding(("reason",)),
    "payment_returns": Holding(
        ("reason", "error"), MONEY, ("kind", "status", "return_id", "idempotency_key", "request_key", "actor")
    ),
    "payment_transitions": Holding(("reason",), MONEY, ("from_state", "to_state", "actor")),
    "payment_receipts": Holding((), MONEY, ("end_to_end_id",)),
    "ledger_entries": Holding((), MONEY, ("kind", "cause", "debit", "credit", "currency")),
    "ledger_differences": Holding((), MONEY, ("place",)),
    "statement_differences": Holding((), MONEY, ("kind", "reference", "detail")),
    "deliveries": Holding(("status", "error"), OURS, ("step",)),
    "delivery_attempts": Holding((), "how a delivery ended, in Telegram's words", ("status", "error")),
    "access_grants": Holding((), OURS, ("step",)),
    "conversions": Holding(
        (),
        "what waited is withdrawn; of what was sent, no part that was somebody's data is kept",
        ("event", "event_key", "status", "sent", "answer"),
    ),
    "coupon_uses": Holding((), OURS, ("code", "state")),
    "takeovers": Holding((), SELLERS, ("actor",)),
    "tombstones": Holding((), "a keyed hash, so that nothing brings the lead back", ("digest", "actor")),
    "audit": Holding((), "who did what; a lead by its number here only", ("actor", "action", "subject", "details")),
}

ELSEWHERE: Mapping[str, str] = {
    "accounts": SELLERS,
    "alarms": SELLERS,
    "asset_chunks": SELLERS,
    "assets": SELLERS,
    "bot_files": SELLERS,
    "bot_invitations": SELLERS,
    "bot_webhooks": MACHINES,
    "bots": SELLERS,
    "campaigns": SELLERS,
    "commissions": SELLERS,
    "conversion_destinations": SELLERS,
    "coupons": SELLERS,
    "crons": MACHINES,
    "domains": SELLERS,
    "figure_entries": "sums of many",
    "figures": "sums of many",
    "forgotten": MACHINES,
    "funnel_versions": SELLERS,
    "funnels": SELLERS,
    "gateway_accounts": SELLERS,
    "gateway_days": "sums of many",
    "groups": "of a group, not of who is in it",
    "installation": MACHINES,
    "login_attempts": "keyed hashes of staff's attempts to log in",
    "memberships": SELLERS,
    "pool_bots": SELLERS,
    "pools": SELLERS,
    "processes": "whom a process heard of, as bits that name nobody",
    "queue_samples": MACHINES,
    "recovery_codes": SELLERS,
    "schema_migrations": MACHINES,
    "second_factors": SELLERS,
    "sessions": SELLERS,
    "sign_in_links": SELLERS,
    "starts": "numbers of leads and clicks, and when",
    "users": SELLERS,
}
"""Tables that hold nothing of a lead, and what they hold instead."""
