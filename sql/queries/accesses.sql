-- name: add :one
-- None: the lead has one of this group already.
INSERT INTO accesses (account_id, group_id, lead_id, user_id, payment_id, step, by_request, lasts, days_owed, remind_days, grace_days, told_at,
    created_at)
VALUES (%(account_id)s, %(group_id)s, %(lead_id)s, %(user_id)s, %(payment_id)s, %(step)s, %(by_request)s, %(lasts)s, %(days_owed)s, %(remind_days)s,
    %(grace_days)s, %(now)s, %(now)s)
ON CONFLICT (group_id, lead_id) DO NOTHING
RETURNING id, account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, link, link_expires_at, lasts, days_owed, ends_at,
    remind_days, grace_days, told_at, ticks, seen_at, entered_at, created_at;

-- name: change :exec
-- The caller has locked the lead.
UPDATE accesses
SET payment_id = %(payment_id)s,
    step = %(step)s,
    by_request = %(by_request)s,
    status = %(status)s,
    lasts = %(lasts)s,
    days_owed = %(days_owed)s,
    ends_at = %(ends_at)s,
    remind_days = %(remind_days)s,
    grace_days = %(grace_days)s
WHERE account_id = %(account_id)s
    AND id = %(access_id)s;

-- name: count_tick :value
-- Numbers the next timer of an access.
UPDATE accesses
SET ticks = ticks + 1,
    told_at = greatest(told_at, %(told_at)s)
WHERE account_id = %(account_id)s
    AND id = %(access_id)s
RETURNING ticks;

-- name: end_period :exec
-- It is over; the lead is to be put out.
UPDATE accesses
SET status = 'ending'
WHERE account_id = %(account_id)s
    AND id = %(access_id)s;

-- name: enter :exec
-- Proof that the lead is in. What is owed begins now. A link that works once has worked.
UPDATE accesses
SET status = 'inside',
    entered_at = coalesce(entered_at, %(now)s),
    ends_at = CASE WHEN days_owed > 0 AND NOT lasts THEN %(now)s::timestamptz + make_interval(days => days_owed) ELSE ends_at END,
    days_owed = 0,
    told_at = CASE WHEN days_owed > 0 THEN %(now)s ELSE told_at END,
    link = CASE WHEN by_request THEN link END,
    seen_at = greatest(seen_at, %(seen_at)s::timestamptz)
WHERE account_id = %(account_id)s
    AND id = %(access_id)s
    AND status IN ('granted', 'outside');

-- name: find :one
SELECT id, account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, link, link_expires_at, lasts, days_owed, ends_at,
    remind_days, grace_days, told_at, ticks, seen_at, entered_at, created_at
FROM accesses
WHERE account_id = %(account_id)s
    AND id = %(access_id)s;

-- name: find_by_grant :one
SELECT accesses.id, accesses.account_id, accesses.group_id, accesses.lead_id, accesses.status
FROM access_grants
JOIN accesses ON accesses.id = access_grants.access_id
WHERE access_grants.account_id = %(account_id)s
    AND access_grants.payment_id = %(payment_id)s
    AND access_grants.step = %(step)s;

-- name: find_by_id :one
-- The id comes from our own timers.
SELECT id, account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, link, link_expires_at, lasts, days_owed, ends_at,
    remind_days, grace_days, told_at, ticks, seen_at, entered_at, created_at
FROM accesses
WHERE id = %(access_id)s;

-- name: find_by_lead :one
SELECT id, account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, link, link_expires_at, lasts, days_owed, ends_at,
    remind_days, grace_days, told_at, ticks, seen_at, entered_at, created_at
FROM accesses
WHERE account_id = %(account_id)s
    AND group_id = %(group_id)s
    AND lead_id = %(lead_id)s;

-- name: find_by_link :one
SELECT id, account_id, group_id, lead_id, payment_id, status
FROM accesses
WHERE account_id = %(account_id)s
    AND group_id = %(group_id)s
    AND link = %(link)s;

-- name: find_by_user :one
-- Of who is in a group, or was, or may be.
SELECT id, account_id, group_id, lead_id, payment_id, status, seen_at
FROM accesses
WHERE account_id = %(account_id)s
    AND group_id = %(group_id)s
    AND user_id = %(user_id)s;

-- name: forget_link :exec
-- The next time it is shown it is another, of a kind that only lets in the lead.
UPDATE accesses
SET link = NULL,
    by_request = true
WHERE account_id = %(account_id)s
    AND id = %(access_id)s;

-- name: forget_links :exec
-- A group that became a supergroup has new links.
UPDATE accesses
SET link = NULL
WHERE account_id = %(account_id)s
    AND group_id = %(group_id)s;

-- name: is_live :value
-- Whether a person may be in a group, by whatever bot of the account it was sold.
SELECT EXISTS (
    SELECT
    FROM groups AS mine
    JOIN groups AS seen ON seen.account_id = mine.account_id AND seen.chat_id = mine.chat_id
    JOIN accesses ON accesses.group_id = seen.id
    WHERE mine.account_id = %(account_id)s
        AND mine.id = %(group_id)s
        AND accesses.user_id = %(user_id)s
        AND accesses.status IN ('granted', 'inside', 'outside')
);

-- name: leave :exec
-- Who is out may come back while it has not ended.
UPDATE accesses
SET status = 'outside',
    seen_at = greatest(seen_at, %(seen_at)s::timestamptz)
WHERE account_id = %(account_id)s
    AND id = %(access_id)s
    AND status = 'inside';

-- name: list_links :many
-- Links of a person who is to be put out: whoever has one could still come in by it.
SELECT link
FROM accesses
WHERE account_id = %(account_id)s
    AND group_id = %(group_id)s
    AND user_id = %(user_id)s
    AND status = 'ending'
    AND link IS NOT NULL;

-- name: list_taken_back :many
-- Of every account: what was given for money that has been given back, or is disputed.
SELECT access_grants.id AS grant_id, access_grants.payment_id
FROM payments
JOIN access_grants ON access_grants.payment_id = payments.id
WHERE payments.state IN ('refunded', 'disputed', 'charged_back')
    AND access_grants.taken_at IS NULL
ORDER BY access_grants.id
LIMIT %(limit)s;

-- name: mark_removed :exec
-- The person is out, as every bot of the account sees it.
UPDATE accesses
SET status = 'removed',
    link = NULL,
    removed_at = %(now)s
FROM groups AS mine
JOIN groups AS seen ON seen.account_id = mine.account_id AND seen.chat_id = mine.chat_id
WHERE mine.account_id = %(account_id)s
    AND mine.id = %(group_id)s
    AND accesses.account_id = %(account_id)s
    AND accesses.group_id = seen.id
    AND accesses.user_id = %(user_id)s
    AND accesses.status = 'ending';

-- name: set_link :value
-- The link to show: this one, unless another was made meanwhile.
UPDATE accesses
SET link = CASE WHEN link IS NOT DISTINCT FROM %(former)s THEN %(link)s ELSE link END,
    link_expires_at = CASE WHEN link IS NOT DISTINCT FROM %(former)s THEN %(expires_at)s ELSE link_expires_at END
WHERE account_id = %(account_id)s
    AND id = %(access_id)s
RETURNING link;
