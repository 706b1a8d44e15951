-- An installation at work: 1500 accounts with a bot each, ten of them big (tenant-1 to tenant-10), 3600 leads, most of their messages
-- sent, most of their payments paid.
-- Every account's texts hold its own name (tenant-7), so that whose row it is shows in the row itself.

INSERT INTO accounts (name, created_at)
SELECT 'tenant-' || n, now() FROM generate_series(1, 1500) AS n;

INSERT INTO users (email, password_hash, created_at)
SELECT name || '@example.com', 'hash', now() FROM accounts;

INSERT INTO memberships (account_id, user_id, role, created_at)
SELECT accounts.id, users.id, 'owner', now()
FROM accounts
JOIN users ON users.email = accounts.name || '@example.com';

INSERT INTO sessions (user_id, token_hash, created_at, seen_at, expires_at)
SELECT id, 'session of ' || email, now(), now(), now() + interval '7 days' FROM users;

INSERT INTO login_attempts (key, attempts, since)
SELECT 'email of ' || email, 1, now() FROM users;

INSERT INTO sign_in_links (user_id, token_hash, expires_at)
SELECT id, 'link of ' || email, now() + interval '10 minutes' FROM users;

INSERT INTO funnels (account_id, name, created_at)
SELECT id, 'funnel of ' || name, now() FROM accounts;

INSERT INTO funnel_versions (account_id, funnel_id, number, definition, published_at)
SELECT account_id, id, 1, jsonb_build_object('name', name, 'funnel', jsonb_build_object('old_buttons', '{}'::jsonb)), now() FROM funnels;

UPDATE funnels SET current_version_id = (SELECT id FROM funnel_versions WHERE funnel_id = funnels.id);

INSERT INTO assets (account_id, sha256, content_type, size_bytes, created_at)
SELECT id, 'sha256 of ' || name, 'image/png', length(name), now() FROM accounts;

INSERT INTO asset_chunks (account_id, asset_id, number, content)
SELECT account_id, id, 0, convert_to(sha256, 'UTF8') FROM assets;

INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, funnel_id, created_at, updated_at)
SELECT account_id, 900000000 + account_id, 'bot_' || name, name, 'key of ' || name, 'token of ' || name, id, now(), now()
FROM funnels;

INSERT INTO bot_webhooks (bot_id, account_id, state, host, state_since, error, asked_at)
SELECT id, account_id, CASE WHEN lost THEN 'taken' ELSE 'ours' END, CASE WHEN lost THEN name END, now(), name,
    now() - id * interval '1 second'
FROM bots
CROSS JOIN LATERAL (SELECT id % 30 = 0 OR name ~ ' tenant-2$') AS found (lost);

INSERT INTO bot_files (account_id, bot_id, sha256, form, file_id, created_at)
SELECT bots.account_id, bots.id, assets.sha256, 'photo', 'file_id of ' || bots.name, now()
FROM bots
JOIN assets USING (account_id);

INSERT INTO leads (account_id, bot_id, chat_id, first_name, version_id, step, state, created_at, updated_at)
SELECT bots.account_id, bots.id, 7000000000 + bots.account_id * 1000 + n, 'lead of ' || bots.name, funnel_versions.id, 'offer',
    jsonb_build_object('name', bots.name), now(), now()
FROM bots
JOIN funnel_versions USING (account_id, funnel_id)
CROSS JOIN LATERAL generate_series(1, CASE WHEN bots.name ~ ' tenant-([1-9]|10)$' THEN 60 ELSE 2 END) AS n;

INSERT INTO campaigns (account_id, bot_id, version_id, audience, quiet_days, status, last_lead_id, next_slice_at, created_at)
SELECT account_id, bot_id, version_id, 'all', 0, CASE WHEN count(*) > 2 THEN 'running' ELSE 'finished' END, max(id), now(), now()
FROM leads
GROUP BY account_id, bot_id, version_id;

INSERT INTO domains (account_id, host, status, created_at, verified_at)
SELECT id, name || '.example.com', 'verified', now(), now() FROM accounts;

-- Each account's link stands on its domain.
INSERT INTO pools (account_id, slug, domain_id, created_at, updated_at)
SELECT account_id, host || '/link', id, now(), now() FROM domains;

INSERT INTO pool_bots (account_id, pool_id, bot_id, position)
SELECT bots.account_id, pools.id, bots.id, 0
FROM bots
JOIN pools USING (account_id);

-- A click for each lead; of a big account's one is awaited.
INSERT INTO clicks (account_id, bot_id, token, noted_at, clicked_at, pool_id, is_crawler, utm_source, parameters, address, user_agent)
SELECT leads.account_id, leads.bot_id, 'token of ' || leads.first_name || leads.id, now(), filled.clicked_at,
    CASE WHEN filled.clicked_at IS NOT NULL THEN pools.id END, false, leads.first_name, '{}', '203.0.113.7', 'Mozilla/5.0'
FROM leads
JOIN pools USING (account_id)
CROSS JOIN LATERAL (SELECT CASE WHEN leads.chat_id % 1000 <> 54 THEN now() END) AS filled (clicked_at);

UPDATE leads
SET first_click_id = clicks.id,
    last_click_id = clicks.id
FROM clicks
WHERE clicks.token = 'token of ' || leads.first_name || leads.id;

INSERT INTO starts (account_id, bot_id, lead_id, click_id, started_at)
SELECT account_id, bot_id, id, first_click_id, now() FROM leads;

INSERT INTO applied_updates (applied_on, account_id, bot_id, update_id)
SELECT current_date - 1 + (chat_id % 3)::integer, account_id, bot_id, chat_id FROM leads;

-- A bot's own, for Stars.
INSERT INTO gateway_accounts (account_id, bot_id, gateway, key, credentials_encrypted, is_active, created_at)
SELECT account_id, min(bots.id), 'stars', 'gateway key of bot of ' || account_id, 'token', false, now() FROM bots GROUP BY account_id;

INSERT INTO gateway_accounts (account_id, gateway, key, credentials_encrypted, created_at, broken_since, broken_until)
SELECT id, 'sandbox', 'gateway key of ' || name, 'credentials of ' || name, now(), now(), now() - interval '1 hour' FROM accounts;

-- A day long ago, and the one of test_isolation.py's instant.
INSERT INTO gateway_days (account_id, gateway_account_id, day, charges, cents)
SELECT account_id, id, day, 10, 9900
FROM gateway_accounts
CROSS JOIN (VALUES (date '2026-01-01'), (date '2099-12-31')) AS days (day);

-- A big account has one new, one pending and one cancelled payment; all others are paid.
INSERT INTO payments (account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, items, description,
    amount_cents, state, idempotency_key, txid, provider_id, end_to_end_id, code, expires_in_seconds, expires_at, paid_cents,
    paid_at, created_at, updated_at)
SELECT leads.account_id, leads.bot_id, leads.id, gateway_accounts.id, leads.version_id, 'charge', 'p of ' || leads.first_name || leads.id,
    0, '[]', 'sale of ' || leads.first_name, 990,
    CASE leads.chat_id % 1000 WHEN 51 THEN 'new' WHEN 52 THEN 'pending' WHEN 53 THEN 'cancelled' ELSE 'paid' END,
    'idempotency of ' || leads.first_name || leads.id, 'txid of ' || leads.first_name || leads.id,
    'provider id of ' || leads.first_name || leads.id, 'e2e of ' || leads.first_name || leads.id, 'code', 600, now(), 990, now(), now(),
    now() - interval '1 hour'
FROM leads
JOIN gateway_accounts ON gateway_accounts.account_id = leads.account_id AND gateway_accounts.bot_id IS NULL
ORDER BY leads.id;

-- One lead of a big account has paid for the same thing twice.
INSERT INTO payments (account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, items, description,
    amount_cents, state, idempotency_key, txid, provider_id, end_to_end_id, code, expires_in_seconds, expires_at, paid_cents,
    paid_at, created_at, updated_at)
SELECT payments.account_id, payments.bot_id, lead_id, gateway_account_id, payments.version_id, payments.step, 'twin of ' || cause, 0,
    items, description, amount_cents, 'paid', 'twin ' || idempotency_key, 'twin ' || txid, 'twin ' || provider_id,
    'twin ' || end_to_end_id, 'code', 600, now(), 990, now(), now(), now()
FROM payments
JOIN leads ON leads.id = payments.lead_id
WHERE leads.chat_id % 1000 = 1
    AND leads.first_name ~ ' tenant-([1-9]|10)$';

UPDATE payments SET next_check_at = now() WHERE state = 'pending';
UPDATE payments SET next_look_at = now() WHERE paid_at IS NOT NULL;

INSERT INTO payment_receipts (account_id, payment_id, end_to_end_id, amount_cents, paid_at, noted_at)
SELECT account_id, id, end_to_end_id, paid_cents, now(), now() FROM payments;

INSERT INTO payment_refusals (account_id, payment_id, gateway_account_id, reason, at)
SELECT account_id, id, gateway_account_id, description, now() FROM payments;

-- A big account has a few that nobody has closed.
INSERT INTO statement_differences (account_id, gateway_account_id, payment_id, kind, reference, detail, found_at, closed_at)
SELECT account_id, gateway_account_id, id, 'missing', txid, description, now(), CASE state WHEN 'paid' THEN now() END
FROM payments
ORDER BY state = 'paid' DESC, id;

INSERT INTO payment_transitions (account_id, payment_id, from_state, to_state, actor, reason, at)
SELECT account_id, id, 'pending', 'paid', 'webhook', description, now() FROM payments;

INSERT INTO provider_events (account_id, gateway_account_id, dedup_key, headers, body, verified, status, payment_id, received_at,
    settled_at)
SELECT account_id, gateway_account_id, 'event of ' || txid, '{}', convert_to(txid, 'UTF8'), 'yes',
    CASE state WHEN 'new' THEN 'received' WHEN 'cancelled' THEN 'unmatched' ELSE 'applied' END, id, now() - interval '1 hour', CASE state WHEN 'new' THEN NULL ELSE now() END
FROM payments;

-- Two messages for each payment: one sent, and a campaign's that is mostly sent, else planned, sending or failed.
INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, version_id, step, payment_id, method, body, nonce,
    policy, campaign_id, status, planned_at, sending_at, sent_at)
SELECT payments.account_id, payments.bot_id, lead_id, chat_id, 'm of ' || cause, n, payments.version_id, payments.step, payments.id,
    'sendMessage', jsonb_build_object('text', description), n || 'nonce' || payments.id, 'retry', CASE WHEN n = 1 AND payments.state <> 'cancelled' THEN campaigns.id END, chosen.status,
    now() - interval '1 hour', CASE chosen.status WHEN 'planned' THEN NULL ELSE now() END,
    CASE chosen.status WHEN 'sent' THEN now() END
FROM payments
JOIN leads ON leads.id = payments.lead_id
JOIN campaigns ON campaigns.bot_id = payments.bot_id
CROSS JOIN generate_series(0, 1) AS n
CROSS JOIN LATERAL (
    SELECT CASE WHEN n = 0 THEN 'sent'
        ELSE CASE payments.state WHEN 'new' THEN 'planned' WHEN 'pending' THEN 'sending' WHEN 'cancelled' THEN 'failed' ELSE 'sent' END
    END
) AS chosen (status)
ORDER BY payments.id, n;

INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, status, error, created_at, delivered_at)
SELECT account_id, payment_id, lead_id, 'delivery', id, CASE status WHEN 'sent' THEN 'delivered' ELSE 'failed' END,
    body ->> 'text', now(), sent_at
FROM messages
WHERE ordinal = 1
ORDER BY id;

INSERT INTO delivery_attempts (account_id, delivery_id, status, error, at)
SELECT account_id, id, CASE status WHEN 'delivered' THEN 'delivered' ELSE 'failed' END, error, now() FROM deliveries;

-- A wait that a buyer's move left behind.
INSERT INTO timers (account_id, bot_id, kind, cause, ordinal, payload, due_at, created_at)
SELECT account_id, bot_id, 'wakes.wake', 'm of ' || cause, 0, '{}', now() + interval '1 day', now()
FROM payments
WHERE account_id = (SELECT id FROM accounts WHERE name = 'tenant-2');

INSERT INTO timers (account_id, bot_id, payment_id, kind, cause, ordinal, payload, due_at, status, fired_at, created_at)
SELECT account_id, bot_id, id, 'payments.expire', 't of ' || cause, 0, '{}', now() - interval '1 hour',
    CASE state WHEN 'pending' THEN 'pending' ELSE 'fired' END, CASE state WHEN 'pending' THEN NULL ELSE now() END, now()
FROM payments;

INSERT INTO coupons (account_id, funnel_id, code, taken)
SELECT account_id, id, 'BACK' || n, n FROM funnels CROSS JOIN generate_series(1, 20) AS n;

INSERT INTO coupon_uses (payment_id, account_id, funnel_id, code, discount_cents, state)
SELECT payments.id, payments.account_id, funnel_id, 'BACK5', 100, CASE payments.state WHEN 'cancelled' THEN 'refused' ELSE 'taken' END
FROM payments
JOIN funnel_versions ON funnel_versions.id = payments.version_id;

-- What was entered by all this is not rolled up; a day's figures are there of each bot.
INSERT INTO figures (account_id, day, bot_id, step, source, campaign, clicks, starts, matched, charges, charged_cents, paid, paid_cents)
SELECT account_id, current_date, id, '', name, name, 3, 2, 2, 1, 990, 1, 990 FROM bots;

INSERT INTO groups (account_id, bot_id, chat_id, title, status, reason, status_since, asked_at, is_sold)
SELECT account_id, id, -telegram_id, name, CASE id % 30 WHEN 0 THEN 'lost' ELSE 'ready' END, CASE id % 30 WHEN 0 THEN 'no_ban' END, now(),
    now(), true
FROM bots;

-- A big account's bot knows another, which nobody is in.
INSERT INTO groups (account_id, bot_id, chat_id, former_chat_id, title, status, reason, status_since, asked_at, is_sold)
SELECT account_id, id, -1000000000000 - telegram_id, -1 - telegram_id, name, 'lost', 'no_ban', now(), now(), true
FROM bots
WHERE name ~ ' tenant-([1-9]|10)$';

-- Whoever has paid once may be in the bot's group; of a big account one has left, one is being put out.
INSERT INTO accesses (account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, link, lasts, ends_at, told_at, entered_at,
    created_at)
SELECT payments.account_id, groups.id, leads.id, leads.chat_id, min(payments.id), 'delivery',
    CASE leads.chat_id % 1000 WHEN 3 THEN 'outside' WHEN 4 THEN 'ending' ELSE 'inside' END, true, 'link of ' || leads.first_name || leads.id,
    false, now(), now(), now(), now()
FROM payments
JOIN leads ON leads.id = payments.lead_id
JOIN groups ON groups.chat_id = -(SELECT telegram_id FROM bots WHERE bots.id = payments.bot_id)
WHERE payments.state = 'paid'
GROUP BY payments.account_id, groups.id, leads.id;

INSERT INTO access_grants (account_id, access_id, payment_id, step, days, granted_at)
SELECT account_id, id, payment_id, step, 30, now() FROM accesses;

INSERT INTO group_acts (account_id, group_id, user_id, act, cause, status, outcome, error, planned_at, done_at)
SELECT accesses.account_id, group_id, leads.chat_id, 'answer', 'act of ' || leads.first_name || leads.id, chosen.status,
    CASE chosen.status WHEN 'done' THEN 'approved' END, CASE chosen.status WHEN 'failed' THEN leads.first_name END, now(),
    CASE chosen.status WHEN 'done' THEN now() END
FROM accesses
JOIN leads ON leads.id = accesses.lead_id
CROSS JOIN LATERAL (
    SELECT CASE leads.chat_id % 1000 WHEN 5 THEN 'failed' WHEN 6 THEN 'waiting' WHEN 7 THEN 'planned' ELSE 'done' END
) AS chosen (status);

-- Money of many sales goes back: half of it is settled, the rest is disputed.
INSERT INTO payment_returns (account_id, payment_id, receipt_id, kind, status, return_id, amount_cents, idempotency_key, request_key, actor,
    noted_at, returned_at, settled_at)
SELECT account_id, payment_id, id, CASE id % 2 WHEN 0 THEN 'refund' ELSE 'dispute' END, CASE id % 2 WHEN 0 THEN 'settled' ELSE 'open' END,
    'return of ' || end_to_end_id, 10, 'key of ' || id, 'request ' || id, 'user:1', now() - interval '1 day', now(),
    CASE id % 2 WHEN 0 THEN now() END
FROM payment_receipts
WHERE id % 4 < 2;

-- What is not handed over any more.
INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, status, created_at)
SELECT account_id, payment_id, lead_id, 'revoked', message_id, 'revoked', now()
FROM deliveries
WHERE message_id IN (SELECT id FROM messages WHERE status = 'failed');

INSERT INTO commissions (account_id, points, cents, begins_at)
SELECT id, 100, 1, now() - interval '1 day' FROM accounts;

INSERT INTO ledger_differences (account_id, payment_id, place, booked_cents, counted_cents, found_at)
SELECT account_id, min(id), 'provider', 1, 2, now() FROM payments GROUP BY account_id;

-- Money given back for which the place was not taken back yet.
UPDATE payments SET state = 'refunded' WHERE id = (SELECT max(payment_id) FROM accesses);

INSERT INTO timers (account_id, bot_id, payment_id, kind, cause, ordinal, payload, due_at, created_at)
SELECT accesses.account_id, groups.bot_id, payment_id, 'deliveries.retry', 'd of ' || accesses.id, 0, '{}', now() + interval '1 day', now()
FROM accesses
JOIN groups ON groups.id = accesses.group_id
WHERE accesses.status = 'ending';

-- A lead in four of a big account has told the seller's server; all have moved once, and a person has every other chat.
INSERT INTO posts (account_id, bot_id, lead_id, cause, ordinal, step, url, body, status, error, planned_at, ended_at)
SELECT account_id, bot_id, id, 'post of ' || first_name || id, 0, 'crm', 'https://example.com/' || first_name, '{}',
    CASE chat_id % 4 WHEN 0 THEN 'planned' WHEN 1 THEN 'waiting' WHEN 2 THEN 'failed' ELSE 'sent' END, first_name, now() - interval '1 hour',
    CASE WHEN chat_id % 4 IN (2, 3) THEN now() END
FROM leads;

INSERT INTO moves (account_id, lead_id, version_id, cause, event, at)
SELECT leads.account_id, leads.id, leads.version_id, coalesce(payments.cause, first_name || leads.id), jsonb_build_object('kind', first_name), now()
FROM leads
LEFT JOIN payments ON payments.lead_id = leads.id;

INSERT INTO moves (account_id, lead_id, version_id, cause, event, at)
SELECT account_id, lead_id, version_id, 'm of ' || cause, '{}', now() FROM payments;

INSERT INTO takeovers (account_id, bot_id, lead_id, actor, began_at, until, ended_at)
SELECT account_id, bot_id, id, first_name, now(), now() + interval '1 day', CASE WHEN chat_id % 2 = 0 THEN now() END
FROM leads
ORDER BY chat_id % 2;

UPDATE bots SET notices_lead_id = (SELECT min(id) FROM leads WHERE leads.bot_id = bots.id);

INSERT INTO conversion_destinations (account_id, network, credentials_encrypted, events, keeps_seconds, status, reason, due_at, created_at,
    updated_at)
SELECT id, 'meta', 'pixel of ' || name, '{PageView,ViewContent,InitiateCheckout,Purchase}', 604800,
    CASE id % 30 WHEN 0 THEN 'paused' ELSE 'active' END, CASE id % 30 WHEN 0 THEN name END, now(), now() - interval '1 day', now()
FROM accounts;

-- Of each payment one event, most of them sent; the last lead of a big account's waits, another's was refused.
INSERT INTO conversions (account_id, destination_id, event, event_key, bot_id, lead_id, payment_id, click_id, occurred_at, expires_at, status,
    answer, planned_at, ended_at)
SELECT payments.account_id, destinations.id, 'Purchase', 'purchase of ' || payments.cause, payments.bot_id, payments.lead_id, payments.id,
    leads.last_click_id, now(), now() + interval '7 days', chosen.status, 'answer of ' || leads.first_name, now() - interval '1 hour',
    CASE chosen.status WHEN 'planned' THEN NULL ELSE now() END
FROM payments
JOIN leads ON leads.id = payments.lead_id
JOIN conversion_destinations AS destinations ON destinations.account_id = payments.account_id
CROSS JOIN LATERAL (
    SELECT CASE leads.chat_id % 1000 WHEN 51 THEN 'planned' WHEN 52 THEN 'refused' ELSE 'sent' END
) AS chosen (status);

INSERT INTO audit (account_id, actor, action, subject, at)
SELECT account_id, 'command', 'bot.add', username, now()
FROM bots
CROSS JOIN generate_series(1, 10);

INSERT INTO queue_samples (slot, queue, at, pending, in_flight, dead, oldest_age_seconds, enqueued, settled)
SELECT slot, 'queue-' || queue, now() - (179 - slot) * interval '10 seconds', slot, 1, 0, 0.5, slot * 100, slot * 99
FROM generate_series(0, 179) AS slot
CROSS JOIN generate_series(1, 6) AS queue;

INSERT INTO second_factors (user_id, secret_encrypted, created_at, confirmed_at)
SELECT id, 'secret of ' || email, now(), now() FROM users;

INSERT INTO recovery_codes (user_id, code_hash)
SELECT id, 'code of ' || email FROM users;

INSERT INTO installation (name, value) VALUES ('master_key', 'id');

-- A big account's bot keeps its media in a chat; a second one waits to be brought to life.
UPDATE bots SET storage_chat_id = 7000, token_shown_at = now() WHERE name ~ ' tenant-([1-9]|10)$';

INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, status, due_at, created_at, updated_at)
SELECT account_id, telegram_id + 100000000, 'new_' || username, name, 'new ' || key, 'new ' || token_encrypted, 'new', now(), now(), now()
FROM bots
WHERE storage_chat_id IS NOT NULL;

INSERT INTO bot_invitations (account_id, manager_id, username, created_at, expires_at)
SELECT account_id, id, 'managed_' || username, now(), now() + interval '1 day' FROM bots;

INSERT INTO alarms (account_id, bot_id, kind, detail, made_at, told_at)
SELECT account_id, id, 'taken', name, now(), CASE WHEN id % 100 <> 0 THEN now() END FROM bots;

UPDATE leads SET key_encrypted = 'key of ' || first_name, marks = ARRAY['mark of ' || first_name] WHERE id % 2 = 0;

INSERT INTO tombstones (account_id, lead_id, bot_id, digest, actor, made_at)
SELECT account_id, id, bot_id, 'digest of ' || first_name, 'lead', now() FROM leads;

-- What buyers' moves left behind: a server told, a notice to the seller, and a charge that was called off.
INSERT INTO posts (account_id, bot_id, lead_id, cause, ordinal, step, url, body, status, planned_at, ended_at)
SELECT account_id, bot_id, lead_id, 'm of ' || cause, 0, 'crm', 'https://example.com/' || description, '{}', 'sent', now(), now()
FROM payments;

INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, method, body, policy, status, planned_at, sent_at)
SELECT payments.account_id, payments.bot_id, other.id, other.chat_id, 'm of ' || cause, 9, 'sendMessage', '{}', 'retry', 'sent', now(), now()
FROM payments
JOIN LATERAL (
    SELECT id, chat_id FROM leads WHERE leads.bot_id = payments.bot_id AND leads.id <> payments.lead_id ORDER BY id LIMIT 1
) AS other ON true;

INSERT INTO payment_transitions (account_id, payment_id, from_state, to_state, actor, reason, at)
SELECT account_id, id, 'creating', 'cancelled', 'task', description, now() FROM payments;

ANALYZE;
