"""Payment providers, in English: a part of texts_english.py's table."""

from __future__ import annotations

GATEWAYS = {
    "gateways_tab": "Providers",
    "gateways_title": "Payment providers",
    "gateways_intro": (
        "A new charge is asked of the first; the next one only where the one before surely did not make it. Who left "
        "the line still receives the notices of the charges it made."
    ),
    "gateways_none": "No provider is connected: nothing can be sold by PIX.",
    "gateways_nobody": "Nobody can be asked now: who wants a PIX reads so, and is served as soon as it can be.",
    "gateways_forbidden": "Only the account's owner changes who is paid for it.",
    "gateways_test": "Test the connections",
    "gateways_test_hint": "Asks each provider whether it takes the credentials. Nothing is charged.",
    "gateway_next": "asked for the next charge",
    "gateway_place": "no. {place} in line",
    "gateway_retired": "out of the line",
    "gateway_day_full": "the day's limit is reached",
    "gateway_since": "no. {number} · since {at}",
    "gateway_unknown": "This installation does not offer the provider any more: no charge is asked of it.",
    "gateway_of_bot": "Takes this bot's Stars. There is nothing to connect or to put in order.",
    "gateway_compare_error": "The statement of {at} was not gone through to its end:",
    "gateway_taken": "The provider takes the credentials.",
    "gateway_not_taken": "The provider did not take the credentials, or could not be asked:",
    "gateway_address": "Address for notices",
    "gateway_address_hint": "If the provider wants a webhook, write this address into its panel:",
    "breaker.open": "left alone",
    "breaker.half_open": "on trial",
    "breaker_open": (
        "It has answered no charges since {since}. Nobody asks it until {until}; then a charge goes to see whether it "
        "is back."
    ),
    "breaker_half_open": "It had not answered since {since}. The next charge goes to see whether it is back.",
    "limits": "Limits",
    "limits_hint": "What is over a limit goes to the next in line. Empty: no limit.",
    "limits_yes": "Keep the limits",
    "limit_none": "no limit",
    "limit_used": "{used} of {most} today",
    "limit_charge": "A charge",
    "limit_day": "Asked for in a day",
    "limit_day_charges": "Charges in a day",
    "limit_of.least_cents": "A charge of no less, in reais",
    "limit_of.most_cents": "A charge of no more, in reais",
    "limit_of.most_day_cents": "Asked for in a day, in reais",
    "limit_of.most_day_charges": "Charges in a day",
    "gateway_act.front": "Put first",
    "gateway_act.retire": "Take out of the line",
    "gateway_act.activate": "Put in line",
    "gateway_act.register": "Register for notices",
    "gateway_sure.front": "New charges are asked of it first from now on. Those there are do not change.",
    "gateway_sure.retire": (
        "No new charge is asked of it; those it made may still be paid and given back. With nobody else in line "
        "nothing is sold by PIX."
    ),
    "gateway_sure.activate": "It stands last in line: it is asked where those before surely did not make the charge.",
    "gateway_sure.register": (
        "The provider tells this address only: another system of yours with the same key is not told any more."
    ),
    "gateway_yes.front": "Yes, put it first",
    "gateway_yes.retire": "Yes, take it out",
    "gateway_yes.activate": "Yes, put it in line",
    "gateway_yes.register": "Yes, register",
    "gateway_said.front": "New charges go to it first.",
    "gateway_said.retire": "No new charge goes to it.",
    "gateway_said.activate": "It stands last in line.",
    "gateway_said.limits": "The limits count from now on.",
    "gateway_said.register": "The provider tells this address from now on.",
    "gateway_said.added": "The provider took the credentials and is in line.",
    "gateway_said.added_unasked": (
        "The provider is in line, but could not be asked whether it takes the credentials: test the connections soon."
    ),
    "gateway_said.front_conflict": "Nothing changed: the line was another already. See how it is and try again.",
    "gateway_said.retire_conflict": "Nothing changed: the line was another already. See how it is and try again.",
    "gateway_said.activate_conflict": "Nothing changed: the line was another already. See how it is and try again.",
    "gateway_said.limits_invalid": (
        "Nothing changed: a limit is an amount over zero, like 19.90, and the least is not over the most."
    ),
    "gateway_said.register_invalid": "The provider refused the address: test the connections, or ask the provider.",
    "gateway_said.register_unavailable": "The provider did not answer; it may have registered it. Try again soon.",
    "gateway_connect": "Connect one more",
    "gateway_connect_hint": "Credentials are encrypted when they come in and never shown again.",
    "gateway_add_title": "Connect {gateway}",
    "gateway_add_refused": "Nothing was connected:",
    "gateway_add_backup": "In reserve only: asked where those before make no charge",
    "gateway_add_hint": (
        "Before anything is kept, the provider is asked whether it takes the credentials. Not in reserve, it takes the "
        "place of the first, which leaves the line."
    ),
    "gateway_add_yes": "Connect",
}
