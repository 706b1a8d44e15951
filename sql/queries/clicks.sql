-- name: add_all :exec
-- Clicks of any account, as services/clicks.py spooled them, in their order. One that is there already stays as it is; one whose /start
-- came first is filled. One of a pool or a bot that this database does not know is left out.
-- hot
INSERT INTO clicks (account_id, bot_id, token, noted_at, clicked_at, pool_id, is_crawler, utm_source, utm_medium, utm_campaign,
    utm_content, utm_term, fbclid, fbp, fbc, ttclid, gclid, parameters, address, user_agent)
SELECT pools.account_id, bots.id, click.token, %(now)s, click.clicked_at, pools.id, click.is_crawler, click.utm_source,
    click.utm_medium, click.utm_campaign, click.utm_content, click.utm_term, click.fbclid, click.fbp, click.fbc, click.ttclid,
    click.gclid, click.parameters, click.address, click.user_agent
FROM jsonb_array_elements(%(clicks)s::jsonb) WITH ORDINALITY AS given (click, place)
CROSS JOIN LATERAL jsonb_populate_record(NULL::clicks, given.click) AS click
JOIN pools ON pools.id = click.pool_id AND pools.account_id = click.account_id
JOIN bots ON bots.id = click.bot_id AND bots.account_id = click.account_id
ORDER BY given.place
ON CONFLICT (token) DO UPDATE SET
    clicked_at = EXCLUDED.clicked_at,
    pool_id = EXCLUDED.pool_id,
    is_crawler = EXCLUDED.is_crawler,
    utm_source = EXCLUDED.utm_source,
    utm_medium = EXCLUDED.utm_medium,
    utm_campaign = EXCLUDED.utm_campaign,
    utm_content = EXCLUDED.utm_content,
    utm_term = EXCLUDED.utm_term,
    fbclid = EXCLUDED.fbclid,
    fbp = EXCLUDED.fbp,
    fbc = EXCLUDED.fbc,
    ttclid = EXCLUDED.ttclid,
    gclid = EXCLUDED.gclid,
    parameters = EXCLUDED.parameters,
    address = EXCLUDED.address,
    user_agent = EXCLUDED.user_agent
WHERE clicks.clicked_at IS NULL
    AND clicks.account_id = EXCLUDED.account_id;

-- name: add_awaited :value
-- Its id. A click known by its /start only. If it is stored in the same moment, the update changes nothing and makes that row come back.
INSERT INTO clicks (account_id, bot_id, token, noted_at)
VALUES (%(account_id)s, %(bot_id)s, %(token)s, %(now)s)
ON CONFLICT (token) DO UPDATE SET
    noted_at = clicks.noted_at
WHERE clicks.account_id = EXCLUDED.account_id
RETURNING id;

-- name: find :one
SELECT id, account_id, bot_id, token, clicked_at, pool_id, is_crawler, utm_source, utm_medium, utm_campaign, utm_content, utm_term,
    fbclid, fbp, fbc, ttclid, gclid, parameters, address, user_agent
FROM clicks
WHERE account_id = %(account_id)s
    AND id = %(click_id)s;

-- name: find_by_token :one
-- hot
SELECT id, clicked_at
FROM clicks
WHERE account_id = %(account_id)s
    AND token = %(token)s;

-- name: forget_old :value
-- Of every account: looks at the next ones behind an id, and deletes of those made before an instant what brought no lead and no
-- charge. The last id that was old; null: no more.
WITH looked AS MATERIALIZED (
    SELECT id, account_id, noted_at
    FROM clicks
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), forgotten AS (
    DELETE FROM clicks
    USING looked
    WHERE clicks.id = looked.id
        AND looked.noted_at < %(before)s
        AND NOT EXISTS (SELECT FROM leads WHERE leads.first_click_id = looked.id AND leads.account_id = looked.account_id)
        AND NOT EXISTS (SELECT FROM leads WHERE leads.last_click_id = looked.id AND leads.account_id = looked.account_id)
        AND NOT EXISTS (SELECT FROM payments WHERE payments.click_id = looked.id AND payments.account_id = looked.account_id)
)
SELECT max(id)
FROM looked
WHERE noted_at < %(before)s;

-- name: list_latest_addresses :many
-- Of every account, for the doctor.
SELECT address
FROM clicks
WHERE clicked_at IS NOT NULL
ORDER BY id DESC
LIMIT %(limit)s;
