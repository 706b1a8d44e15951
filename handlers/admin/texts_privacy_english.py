"""What is kept of people, in English: a part of texts_english.py's table."""

from __future__ import annotations

PRIVACY = {
    "privacy_tab": "Privacy",
    "privacy_title": "Personal data",
    "privacy_intro": (
        "Who asks for his own data is answered within 15 days (LGPD). Every bot answers /meusdados and /excluir by "
        "itself; here you answer those who wrote to you."
    ),
    "privacy_said.ordered": (
        "The erasure is ordered and is done in its chat's turn, mostly within seconds. Reload: the list below says "
        "when it is done."
    ),
    "person_find": "Person",
    "person_find_hint": (
        "@username or chat id; also an e-mail, CPF or telephone that the person has told. The search is put on record."
    ),
    "people_found": "Found",
    "people_none": "No bot of this account knows that. See that it is complete, or try the chat id.",
    "people_cut": "Only {count} are here; the commands grimbots privacy show the others.",
    "people_forbidden": "Only an owner or editor of the account looks up, takes and erases people's data: ask one.",
    "person_number": "Person {number}",
    "person_name": "Name",
    "person_user": "Username",
    "person_chat": "Chat id",
    "person_since": "Known since",
    "person_acts": "Answer the request",
    "person_export": "Download the data",
    "person_export_hint": (
        "The JSON file has all that is kept, like what the bot sends to who asks /meusdados. Who took it is put on "
        "record."
    ),
    "person_erase": "Erase the data…",
    "holdings_intro": "What is kept of this person, table by table. That you looked is put on record.",
    "holdings_title": "What is kept",
    "holdings_what": "What",
    "holdings_count": "Rows",
    "holdings_fate": "If erased",
    "holding.leads": "The person: name, @, language, answers, tags",
    "holding.clicks": "Clicks on ads",
    "holding.messages": "Messages it was sent",
    "holding.moves": "What it did in the funnel",
    "holding.posts": "What your server was told",
    "holding.timers": "Waits and reminders",
    "holding.accesses": "Places in groups",
    "holding.provider_events": "Providers' notices",
    "holding.deliveries": "Deliveries",
    "holding.payments": "Charges",
    "holding.payment_receipts": "Transfers received",
    "holding.payment_returns": "Refunds and disputes",
    "holding.ledger_entries": "Entries of the book",
    "fate.leads": "emptied; a number without a name stays",
    "fate.clicks": "address, browser and ids go; the campaign stays",
    "fate.messages": "the text goes; that there was one stays",
    "fate.moves": "deleted",
    "fate.posts": "emptied here; on your server, erase it yourself",
    "fate.timers": "called off and emptied",
    "fate.accesses": "the person is put out of the groups",
    "fate.provider_events": "emptied",
    "fate.deliveries": "stay, without an error's text; what was still owed is not sent any more",
    "fate.payments": "stay: amount, date and the provider's numbers",
    "fate.payment_receipts": "stay",
    "fate.payment_returns": "stay, without the provider's words",
    "fate.ledger_entries": "stay",
    "erase_title": "Erase the data of person {number}?",
    "erase_intro": "Chat {chat} with @{bot}. It cannot be undone, by no backup either.",
    "erase_goes": "Goes",
    "erase_goes_what": (
        "Name, @, chat id, answers, messages, its way through the funnel, address and browser, what providers said."
    ),
    "erase_stays": "Stays",
    "erase_stays_what": (
        "The book and the payments, nameless: amounts, dates and the provider's numbers, which tax law asks for. And a "
        "keyed mark, so that nothing brings the person back."
    ),
    "erase_loses": "The person loses",
    "erase_loses_what": (
        "Places in groups and what was not delivered yet. Paid after this, the money enters the book and is to be "
        "given back."
    ),
    "erase_beyond": "Out of our reach",
    "erase_beyond_what": "The person's own Telegram chat, the payment provider, ad networks and your own server.",
    "erase_yes": "Yes, erase for good",
    "erased_title": "Latest erasures",
    "erased_none": "Nobody was erased in this account.",
    "erased_by": "Asked for by",
    "eraser.lead": "the person",
    "eraser.user": "user {number}, on this page",
    "eraser.command": "command",
    "terms_title": "How long what is kept",
    "terms_what": "What",
    "terms_period": "Period",
    "terms_emptied": "emptied after {days} days",
    "terms_deleted": "deleted after {days} days",
    "terms_rest": "Person, charges, book",
    "terms_kept": "until you erase the person; the book and the charges stay, nameless",
    "term.emptied_clicks": "Who clicked: address, browser, ids",
    "term.emptied_posts": "What your server was told",
    "term.emptied_events": "What providers told",
    "term.emptied_messages": "Texts of messages that were sent or discarded",
    "term.deleted_conversions": "Conversions of no sale",
    "term.deleted_clicks": "Clicks that brought nobody",
    "term.deleted_timers": "Waits that are over",
    "term.deleted_refusals": "Refusals of providers",
    "term.deleted_differences": "Differences with a statement that are closed",
    "term.deleted_moves": "What each person did in the funnel",
}
