-- name: blank_clicks :value
-- Of every account: looks at the next ones behind an id, and takes out of those made before an instant who it was that came. The last
-- id that was old; null: no more. So do the others here.
WITH looked AS MATERIALIZED (
    SELECT id, noted_at
    FROM clicks
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), blanked AS (
    UPDATE clicks
    SET fbclid = NULL,
        fbp = NULL,
        fbc = NULL,
        ttclid = NULL,
        gclid = NULL,
        parameters = NULL,
        address = NULL,
        user_agent = NULL
    WHERE id = ANY(ARRAY(SELECT id FROM looked WHERE noted_at < %(before)s))
)
SELECT max(id)
FROM looked
WHERE noted_at < %(before)s;

-- name: blank_events :value
WITH looked AS MATERIALIZED (
    SELECT id, received_at
    FROM provider_events
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), blanked AS (
    UPDATE provider_events
    SET query = '',
        headers = '{}',
        body = ''
    WHERE id = ANY(ARRAY(SELECT id FROM looked WHERE received_at < %(before)s))
        AND status <> 'received'
)
SELECT max(id)
FROM looked
WHERE received_at < %(before)s;

-- name: blank_messages :value
-- Not of what could not be delivered: whoever comes back is given that.
WITH looked AS MATERIALIZED (
    SELECT id, planned_at
    FROM messages
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), blanked AS (
    UPDATE messages
    SET body = '{}'
    WHERE id = ANY(ARRAY(SELECT id FROM looked WHERE planned_at < %(before)s))
        AND status IN ('sent', 'discarded')
)
SELECT max(id)
FROM looked
WHERE planned_at < %(before)s;

-- name: blank_posts :value
WITH looked AS MATERIALIZED (
    SELECT id, planned_at
    FROM posts
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), blanked AS (
    UPDATE posts
    SET url = '',
        body = '{}'
    WHERE id = ANY(ARRAY(SELECT id FROM looked WHERE planned_at < %(before)s))
        AND ended_at IS NOT NULL
)
SELECT max(id)
FROM looked
WHERE planned_at < %(before)s;

-- name: find_place :value
SELECT after_id
FROM forgotten
WHERE what = %(what)s;

-- name: note_place :exec
INSERT INTO forgotten (what, after_id)
VALUES (%(what)s, %(after_id)s)
ON CONFLICT (what) DO UPDATE
SET after_id = EXCLUDED.after_id;
