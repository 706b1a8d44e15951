"""Every metric of the process, one line each. One registry per process; callers import the metric they move.

Names are `grimbots_<room>_<what>_<unit>`; labels come from closed sets, so that the number of series does not grow with
bots or chats.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds ...
STOP_KINDS = ("queue", "source", "account")
FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"grimbots_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"grimbots_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = FAST_SECONDS) -> Histogram:
    return Histogram(f"grimbots_{name}", text, labels, registry=REGISTRY, buckets=buckets)


http_requests = _counter("http_requests_total", "Requests answered, by handler and status class", "handler", "status")
http_request_seconds = _histogram("http_request_seconds", "From the request's last byte to its answer", "handler")

loop_lag_seconds = _histogram("loop_lag_seconds", "How late a tick of the event loop comes")
duty_success = _gauge(
    "duty_success_timestamp_seconds", "When this process's periodic duty last came to its end", "duty"
)
cron_success = _gauge("cron_success_timestamp_seconds", "When the installation's cron last came to its end", "cron")
disk_free_part = _gauge("disk_free_part", "What is free of the disk with the data folder, as a part of it")
spool_bytes = _gauge("spool_bytes", "Clicks and events that wait on the disk for Postgres", "spool")

logins = _counter("logins_total", "Attempts to log in by outcome", "outcome")

checkouts = _counter("telegram_checkouts_total", "Pre-checkout queries by answer: let_through, or why not", "answer")
updates_received = _counter("telegram_updates_received_total", "Updates accepted, by kind", "kind")
updates_dead = _counter("telegram_updates_dead_total", "Updates kept as dead letters, by reason", "reason")
updates_late = _counter("telegram_updates_late_total", "Updates too old to act upon, by kind", "kind")
updates_swapped = _counter("telegram_updates_swapped_total", "Updates that acted after a later one of their chat")
messages_sent = _counter("telegram_messages_sent_total", "Messages by outcome of one attempt", "outcome")
outbound_refused = _counter(
    "outbound_refused_total", "Requests not sent because the places and the line of their party were taken", "party"
)
telegram_call_seconds = _histogram("telegram_call_seconds", "One Bot API call", "method")
telegram_errors = _counter(
    "telegram_errors_total", "Bot API calls that did not succeed, by what that means", "error_type"
)

# Read from the rows at every scrape (services/vitals.py).
bots = _gauge("telegram_bots", "Bots by status: new (not in service yet), active, dead (Telegram disowns it)", "status")
webhooks = _gauge("telegram_webhooks", "Bots by the state of their webhook: unseen, ours, missing, taken", "state")
webhooks_failing = _gauge("telegram_webhooks_failing", "Bots to which Telegram failed to deliver within five minutes")
webhook_pending = _gauge("telegram_webhook_pending_updates", "Updates that wait at Telegram, of all bots")
webhook_most_pending = _gauge("telegram_webhook_most_pending_updates", "Likewise of the bot with the most")
leads_active = _gauge("leads_active", "People whom the bots heard of in the last 5 to 10 minutes, about")

redirects = _counter("redirects_total", "Visits to tracked links by what they were answered", "outcome")
clicks = _counter("clicks_total", "Clicks by what became of them: spooled, dropped, stored", "outcome")
click_starts = _counter("click_starts_total", "Starts with a click's token, by which of the two came first", "first")
conversions = _counter(
    "conversions_total",
    "Conversions by what became of them: sent, skipped, refused, expired, uncertain",
    "network",
    "outcome",
)
conversion_calls = _counter(
    "conversions_calls_total", "Calls to networks by what the answer meant", "network", "verdict"
)
conversions_oldest_seconds = _gauge("conversions_oldest_seconds", "Age of the oldest conversion that waits", "network")
conversions_paused = _gauge("conversions_paused_destinations", "Destinations whose credentials were refused", "network")

payments_settled = _counter("payments_settled_total", "Payments by outcome of settle", "outcome")
payments_returned = _counter(
    "payments_returned_total", "Money that goes back, by what that is and how", "kind", "status"
)
provider_events = _counter("payments_events_total", "Provider events by verification", "gateway", "verified")
provider_events_spooled = _counter(
    "payments_events_spooled_total",
    "Events kept on the disk while Postgres was away: spooled, stored, refused",
    "outcome",
)
provider_events_closed = _counter("payments_events_closed_total", "Provider events by what became of them", "status")
checks = _counter(
    "payments_checks_total", "Questions to providers about unpaid charges, by what came of them", "outcome"
)
breakers = _counter(
    "payments_breakers_total", "Breakers of gateway accounts by what they became: closed, half_open, open", "state"
)
failovers = _counter(
    "payments_failovers_total", "Gateway accounts that made no charge they were first for, by provider", "gateway"
)
delivery_attempts = _counter("deliveries_attempts_total", "Deliveries tried, by how that ended", "status")
group_acts = _counter(
    "deliveries_group_acts_total",
    "What bots did to people in groups: approved, declined, removed; or waiting for rights, refused",
    "outcome",
)

# Read from the rows at every scrape (services/troubles.py), each counted up to troubles.LIMIT.
events_left_over = _gauge("payments_events_left_over", "Events nothing could be settled with, by status", "status")
payments_flagged = _gauge("payments_flagged", "Payments with a flag: late, overpaid, underpaid, double, unsold", "flag")
gateway_accounts = _gauge(
    "payments_gateway_accounts", "Gateway accounts that take new charges, by the state of their breakers", "state"
)
statement_differences = _gauge(
    "payments_statement_differences", "What providers' statements say otherwise and nobody has closed, by kind", "kind"
)
ledger_differences = _gauge("ledger_differences", "Places in the book of which a recount says something else")
refunds_stuck = _gauge("payments_refunds_stuck", "Refunds whose job was given up: a person has to look")
deliveries_owed = _gauge(
    "deliveries_owed", "Paid for over a minute ago and not delivered, by the delivery's status", "status"
)

database_up = _gauge("database_up", "1 while Postgres answers")
database_query_seconds = _histogram("database_query_seconds", "One statement, by its first word", "query_type")
database_pool_size = _gauge("database_pool_size", "Connections to Postgres that this process may hold")
database_pool_free = _gauge("database_pool_free", "Those of them that nobody uses")
database_pool_waiting = _gauge("database_pool_waiting", "Who waits for one of them")
database_connections = _gauge("database_connections", "Connections of the whole Postgres, whoever holds them")
database_connections_allowed = _gauge("database_connections_allowed", "Postgres's max_connections")
database_replicas = _gauge("database_replicas", "Standbys that Postgres sends its log to")
database_replica_lag_bytes = _gauge("database_replica_lag_bytes", "How far the slowest standby is behind")

queue_up = _gauge("queue_up", "1 while the queue's Redis answers")
queue_memory_part = _gauge("queue_memory_part", "Redis's memory in use, as a part of maxmemory (0: no limit)")
queue_replicas = _gauge("queue_replicas", "Replicas in step, of the Redis with the fewest")
queue_replica_lag_bytes = _gauge("queue_replica_lag_bytes", "How far the slowest of them is behind")
queue_clients = _gauge("queue_clients", "Connections that the queue's Redis servers have, whoever holds them")
queue_workers = _gauge("queue_workers", "Processes that do take jobs, by queue", "queue")
queue_pending = _gauge("queue_pending_jobs", "Jobs waiting", "queue")
queue_in_flight = _gauge("queue_in_flight_jobs", "Jobs running", "queue")
queue_oldest_seconds = _gauge("queue_oldest_seconds", "Age of the oldest waiting job", "queue")
queue_dead = _gauge("queue_dead_jobs", "Jobs given up, kept for a person", "queue")
queue_enqueued = _gauge("queue_enqueued_jobs", "Jobs let in since the data began: rate() it", "queue")
queue_settled = _gauge("queue_settled_jobs", "Jobs done or given up since the data began: rate() it", "queue")
queue_paused = _gauge("queue_paused_places", "Queues, sources and accounts that an operator paused, by kind", "kind")
queue_draining = _gauge("queue_draining_places", "Likewise those that let nothing new in", "kind")
queue_due = _gauge("queue_due_entries", "What waits for a time: jobs, chats, sources, holds")
queue_consumers = _gauge("queue_consumers", "Processes with a lease")
queue_overtakes = _gauge("queue_overtakes", "Jobs put before others of their chat that had come too early", "queue")
queue_start_seconds = _histogram("queue_start_seconds", "From enqueue to start", "queue")
queue_run_seconds = _histogram("queue_run_seconds", "From start to the outcome", "task")
queue_wake_seconds = _histogram("queue_wake_seconds", "From a wake token to the claim it led to")
queue_outcomes = _counter("queue_outcomes_total", "Attempts by outcome", "task", "outcome")
queue_batch_moves = _histogram("queue_batch_moves", "Moves in one round trip", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
queue_script_seconds = _histogram("queue_script_seconds", "One round trip of the scripts")
queue_empty_claims = _counter("queue_empty_claims_total", "Claims that found nothing")
queue_deaths = _counter("queue_deaths_total", "Jobs given up, by why (queue/reports.py, Death)", "reason")
queue_lost = _counter("queue_lost_total", "Moves answered LOST: somebody else owned the job")
queue_reaped = _counter("queue_reaped_jobs_total", "Jobs taken back from a consumer that died")
sweep_enqueued = _counter("sweep_enqueued_total", "Effects found planned without a job, by kind", "kind")

# A series that begins with its first event shows no increase of it: what alerts look at begins at 0.
for _counted, _outcomes in (
    (clicks, ("spooled", "dropped", "stored")),
    (provider_events_spooled, ("spooled", "stored", "refused")),
    (queue_deaths, ("attempts", "budget", "buried", "unknown", "poison", "refused")),
):
    for _outcome in _outcomes:
        _counted.labels(_outcome)
