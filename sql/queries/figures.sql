-- What is counted (services/figures.py): `figures`, and `figure_entries`, which are to be added to them.

-- name: rebuild :exec
-- Counts an account's events anew, out of their own rows, in one look at all of them. For whoever holds the turn (wait_turn).
WITH forgotten AS (
    DELETE FROM figures
    WHERE account_id = %(account_id)s
), dropped AS (
    DELETE FROM figure_entries
    WHERE account_id = %(account_id)s
)
INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, clicks, starts, matched, charges, charged_cents, paid, paid_cents,
    refunds, refunded_cents)
SELECT account_id, bot_id, '', id, clicked_at, 1, 0, 0, 0, 0, 0, 0, 0, 0
FROM clicks
WHERE account_id = %(account_id)s
    AND clicked_at IS NOT NULL
    AND NOT is_crawler
UNION ALL
SELECT account_id, bot_id, '', click_id, started_at, 0, 1, CASE WHEN click_id IS NULL THEN 0 ELSE 1 END, 0, 0, 0, 0, 0, 0
FROM starts
WHERE account_id = %(account_id)s
UNION ALL
SELECT account_id, bot_id, step, click_id, created_at, 0, 0, 0, 1, CASE currency WHEN 'BRL' THEN amount_cents ELSE 0 END, 0, 0, 0, 0
FROM payments
WHERE account_id = %(account_id)s
    AND txid IS NOT NULL
UNION ALL
SELECT account_id, bot_id, step, click_id, paid_at, 0, 0, 0, 0, 0, 1, CASE currency WHEN 'BRL' THEN paid_cents ELSE 0 END, 0, 0
FROM payments
WHERE account_id = %(account_id)s
    AND paid_at IS NOT NULL
UNION ALL
SELECT account_id, bot_id, step, click_id, at, 0, 0, 0, 0, 0, 0, 0, 1, amount_cents
FROM sale_returns
WHERE account_id = %(account_id)s;

-- name: report :many
-- An account's figures of some of its days, by the dimensions named in `by`; the others are null. `since` and `until` are the instants
-- at which `first_day` begins and `last_day` ends.
WITH counted AS (
    SELECT day, bot_id, step, source, campaign, clicks, starts, matched, charges, charged_cents, paid, paid_cents, refunds,
        refunded_cents
    FROM figures
    WHERE account_id = %(account_id)s
        AND day BETWEEN %(first_day)s AND %(last_day)s
    UNION ALL
    SELECT (at AT TIME ZONE zones.zone)::date, bot_id, step, coalesce(click.utm_source, ''), coalesce(click.utm_campaign, ''), clicks,
        starts, matched, charges, charged_cents, paid, paid_cents, refunds, refunded_cents
    FROM figure_entries
    CROSS JOIN (SELECT find_zone(%(zone)s::text) AS zone OFFSET 0) AS zones
    LEFT JOIN LATERAL (SELECT utm_source, utm_campaign FROM clicks WHERE id = click_id OFFSET 0) AS click ON true
    WHERE account_id = %(account_id)s
        AND at >= %(since)s
        AND at < %(until)s
), grouped AS (
    SELECT CASE WHEN 'day' = ANY (%(by)s::text[]) THEN day END AS day,
        CASE WHEN 'bot' = ANY (%(by)s::text[]) THEN bot_id END AS bot_id,
        CASE WHEN 'step' = ANY (%(by)s::text[]) THEN step END AS step,
        CASE WHEN 'source' = ANY (%(by)s::text[]) THEN source END AS source,
        CASE WHEN 'campaign' = ANY (%(by)s::text[]) THEN campaign END AS campaign,
        sum(clicks)::bigint AS clicks, sum(starts)::bigint AS starts, sum(matched)::bigint AS matched, sum(charges)::bigint AS charges,
        sum(charged_cents)::bigint AS charged_cents, sum(paid)::bigint AS paid, sum(paid_cents)::bigint AS paid_cents,
        sum(refunds)::bigint AS refunds, sum(refunded_cents)::bigint AS refunded_cents
    FROM counted
    GROUP BY 1, 2, 3, 4, 5
)
SELECT grouped.day, bots.username AS bot, grouped.step, grouped.source, grouped.campaign, grouped.clicks, grouped.starts,
    grouped.matched, grouped.charges, grouped.charged_cents, grouped.paid, grouped.paid_cents, grouped.refunds, grouped.refunded_cents
FROM grouped
LEFT JOIN LATERAL (SELECT username FROM bots WHERE id = grouped.bot_id AND account_id = %(account_id)s OFFSET 0) AS bots ON true
WHERE (grouped.clicks, grouped.starts, grouped.charges, grouped.paid, grouped.refunds) <> (0, 0, 0, 0, 0)
ORDER BY grouped.day, bots.username, grouped.step, grouped.source, grouped.campaign, grouped.bot_id;

-- name: roll_up :value
-- Of every account: adds the oldest entries to the figures; returns how many those were. For whoever has the turn (duties.take_turn).
WITH taken AS (
    DELETE FROM figure_entries
    WHERE id = ANY (ARRAY(
        SELECT entry.id
        FROM figure_entries AS entry
        LEFT JOIN LATERAL (SELECT clicked_at FROM clicks WHERE id = entry.click_id OFFSET 0) AS click ON true
        WHERE entry.click_id IS NULL
            OR click.clicked_at IS NOT NULL
        ORDER BY entry.id
        LIMIT %(limit)s
    ))
    RETURNING account_id, bot_id, step, click_id, at, clicks, starts, matched, charges, charged_cents, paid, paid_cents, refunds,
        refunded_cents
), added AS (
    INSERT INTO figures (account_id, day, bot_id, step, source, campaign, clicks, starts, matched, charges, charged_cents, paid, paid_cents,
        refunds, refunded_cents)
    SELECT taken.account_id, (taken.at AT TIME ZONE account.zone)::date, taken.bot_id, taken.step, coalesce(click.utm_source, ''),
        coalesce(click.utm_campaign, ''), sum(taken.clicks), sum(taken.starts), sum(taken.matched), sum(taken.charges),
        sum(taken.charged_cents), sum(taken.paid), sum(taken.paid_cents), sum(taken.refunds), sum(taken.refunded_cents)
    FROM taken
    CROSS JOIN LATERAL (SELECT find_zone(time_zone) AS zone FROM accounts WHERE id = taken.account_id OFFSET 0) AS account
    LEFT JOIN LATERAL (SELECT utm_source, utm_campaign FROM clicks WHERE id = taken.click_id OFFSET 0) AS click ON true
    GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (account_id, day, bot_id, step, source, campaign) DO UPDATE
    SET clicks = figures.clicks + EXCLUDED.clicks,
        starts = figures.starts + EXCLUDED.starts,
        matched = figures.matched + EXCLUDED.matched,
        charges = figures.charges + EXCLUDED.charges,
        charged_cents = figures.charged_cents + EXCLUDED.charged_cents,
        paid = figures.paid + EXCLUDED.paid,
        paid_cents = figures.paid_cents + EXCLUDED.paid_cents,
        refunds = figures.refunds + EXCLUDED.refunds,
        refunded_cents = figures.refunded_cents + EXCLUDED.refunded_cents
)
SELECT count(*)
FROM taken;

-- name: wait_turn :exec
-- Until whoever rolls up now is done; then nobody does before this transaction ends.
SELECT pg_advisory_xact_lock(hashtext('grimbots duty figures'));
