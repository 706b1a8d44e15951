"""The lines that guard against what broke before (tests/FAILURES.md), each with the test that misses it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`text` stands once in `file`; with `without` in its place `test` fails. `number` is the failure's."""

    number: int
    file: str
    text: str
    without: str
    test: str


PAYMENTS, EVENTS, CHARGES, RECEIPTS, RETURNS = (
    f"services/{name}.py" for name in ("payments", "events", "charges", "receipts", "returns")
)
OF_PAYMENTS, OF_CONVERSIONS = "sql/queries/payments.sql", "sql/queries/conversions.sql"
TOLD, SENT = "tests/services/test_conversion_events.py", "tests/services/test_conversion_sends.py"

PAYING = (
    Guard(
        1,
        PAYMENTS,
        "            provider_id=made.provider_id,\n",
        "            provider_id=payment.idempotency_key,\n",
        "tests/services/test_payments.py::test_charge_commits_the_code_with_every_id_before_it_is_shown",
    ),
    Guard(
        2,
        OF_PAYMENTS,
        "(txid = %(txid)s OR idempotency_key = %(txid)s OR provider_id = %(provider_id)s)",
        "(txid = %(txid)s OR provider_id = %(provider_id)s)",
        "tests/services/test_payments.py::test_charge_answered_after_its_event_stays_paid_and_shows_no_code",
    ),
    Guard(
        3,
        "services/checks.py",
        '        jobs = await payments.ask(app, payment, actor="reconciler")\n',
        "        jobs = None\n",
        "tests/services/test_checks.py::test_a_payment_whose_event_was_lost_is_found_without_anybody",
    ),
    Guard(
        4,
        PAYMENTS,
        "            code=made.code,\n",
        "            code=None,\n",
        "tests/services/test_payments.py::test_charge_commits_the_code_with_every_id_before_it_is_shown",
    ),
    Guard(
        7,
        CHARGES,
        "            return await _search(app, payment, account, Absent(str(error), may_recover=True))\n",
        "            return Absent(str(error), may_recover=True)\n",
        "tests/services/test_failovers.py::test_no_row_of_faults_shows_two_charges",
    ),
    Guard(
        9,
        RECEIPTS,
        "    if not await _note(case, receipt):\n",
        "    if await _note(case, receipt) is None:\n",
        "tests/services/test_payments.py::test_settle_acts_once_however_many_tell_of_it_at_once",
    ),
    Guard(
        12,
        EVENTS,
        "    if event.verified == Verdict.YES and hint.receipt is not None:\n",
        "    if hint.receipt is not None:\n",
        "tests/services/test_events.py::test_apply_settles_nothing_by_a_forged_event",
    ),
    Guard(
        13,
        RECEIPTS,
        "    if receipt.amount_cents < payment.amount_cents:\n",
        "    if receipt.amount_cents < 0:\n",
        "tests/services/test_receipts.py::test_judge_holds_less_than_the_price_in_every_state",
    ),
    Guard(
        13,
        CHARGES,
        "    if made.amount_cents == payment.amount_cents:\n",
        "    if made.amount_cents:\n",
        "tests/services/test_payments.py::test_charge_of_another_amount_is_not_shown",
    ),
    Guard(
        14,
        "sql/migrations/0001_first.sql",
        "    UNIQUE (gateway_account_id, txid),\n    UNIQUE (gateway_account_id, provider_id),\n",
        "",
        "tests/services/test_payments.py::test_charge_with_the_ids_of_another_is_not_shown",
    ),
    Guard(
        15,
        RETURNS,
        "    if gone_cents >= paid_cents:\n",
        "    if gone_cents > paid_cents:\n",
        "tests/services/test_returns.py::test_a_full_refund_ends_the_sale_and_says_so",
    ),
    Guard(
        17,
        OF_PAYMENTS,
        "WHERE gateway_account_id = %(gateway_account_id)s\n    AND (txid",
        "WHERE %(gateway_account_id)s > 0\n    AND (txid",
        "tests/services/test_events.py::test_an_event_that_reaches_another_accounts_webhook_settles_nothing",
    ),
    Guard(
        18,
        "services/receptions.py",
        "            row = await _store(app.db, posting)\n",
        "            return\n",
        "tests/handlers/test_payments.py::test_event_is_stored_before_it_is_answered",
    ),
    Guard(
        19,
        OF_PAYMENTS,
        "        LIMIT %(limit_each)s\n",
        "        LIMIT 25 * %(limit_each)s\n",
        "tests/services/test_checks.py::test_one_account_with_many_due_starves_no_other",
    ),
    Guard(
        20,
        PAYMENTS,
        '            jobs = await _settle_seen(app, payment, actor="timer")\n',
        "            jobs = []\n",
        "tests/services/test_payments.py::test_expire_asks_the_provider_first_and_settles_what_nobody_told",
    ),
)
TRACKING = (
    Guard(
        21,
        "services/cases.py",
        "        if to_state != self.payment.state:\n"
        "            await conversion_events.note_state(self.app, self.tx, self.payment, to_state)\n",
        "",
        f"{TOLD}::test_a_sale_is_four_events_with_ids_of_what_happened",
    ),
    Guard(
        22,
        "services/conversion_contexts.py",
        "        id=row.event_key,\n",
        '        id=f"{row.event_key}_{app.clock()}",\n',
        f"{SENT}::test_a_process_that_dies_behind_the_answer_tells_it_again_by_the_same_id",
    ),
    Guard(
        23,
        OF_CONVERSIONS,
        "'pageview_' || clicks.token",
        "'pageview_' || clicks.id",
        f"{TOLD}::test_page_view_has_the_id_that_the_landings_pixel_says",
    ),
    Guard(
        24,
        "services/conversion_events.py",
        "    if state not in STATES or not app.reporters.may_report(payment.account_id):\n",
        "    if state not in STATES:\n",
        f"{TOLD}::test_accounts_that_report_nothing_are_asked_nothing",
    ),
    Guard(
        25,
        "services/conversion_sends.py",
        "        if answer.verdict is Verdict.DEAD:\n",
        "        if False:\n",
        f"{SENT}::test_a_dead_token_pauses_the_destination_and_its_seller_is_told",
    ),
    Guard(
        26,
        OF_PAYMENTS,
        "    (SELECT last_click_id FROM leads",
        "    (SELECT first_click_id FROM leads",
        "tests/services/test_clicks.py::test_payment_carries_the_last_click_at_the_time_of_its_charge",
    ),
    Guard(
        28,
        "services/conversion_sends.py",
        ' or row.status != "active" or row.rounds != number:\n',
        ' or row.status != "active":\n',
        f"{SENT}::test_a_round_begun_anew_makes_the_old_one_idle",
    ),
)
SELLING = (
    Guard(
        48,
        "services/effects.py",
        "        items=[asdict(item) for item in effect.items],\n",
        '        items=[{**asdict(item), "offer": effect.step} for item in effect.items],\n',
        "tests/services/test_nudges.py::test_a_payment_says_which_offer_sold_each_thing",
    ),
    Guard(
        54,
        "handlers/commands/campaign.py",
        "    if instant.tzinfo is None:\n",
        "    if not text:\n",
        "tests/handlers/commands/test_campaign.py::test_an_instant_is_understood_by_its_time_zone",
    ),
)
GUARDS = PAYING + TRACKING + SELLING
