"""The sandbox's JSON face: what a person or a test does beside a bot: write, tap, pay, watch calls, make them fail."""

from __future__ import annotations

from grimbots.services.errors import Invalid
from grimbots.services.sandbox import (
    bots,
    calls,
    charges,
    chats,
    faults,
    managing,
    messages,
    parcels,
    payments,
    returns,
    webhooks,
)
from grimbots.services.sandbox.requests import LocalHandler, take
from grimbots.services.sandbox.store import Row

TELLING = ("copies", "delay_seconds", "signature", "says")
NAMES = ("first_name", "last_name", "username", "language_code")


class FaceHandler(LocalHandler):
    """What the handlers of this face share."""

    def get_bot(self, username: str) -> Row:
        """Give the bot of the path."""
        return bots.get(self.sandbox, username)


class BotsHandler(FaceHandler):
    """GET and POST bots."""

    async def get(self) -> None:
        """List the bots with their chats and webhooks."""
        self.answer(bots.list_all(self.sandbox))

    async def post(self) -> None:
        """Make a bot, or give the one with this username; the only place that shows a token."""
        body = self.read_json()
        username = take(body, "username", str).removeprefix("@")
        bot = bots.create(self.sandbox, username, take(body, "name", str, username))
        await self.sandbox.commit()
        self.answer({"id": bot["id"], "username": bot["username"], "name": bot["name"], "token": bot["token"]})


class RevokeHandler(FaceHandler):
    """POST bots/<username>/revoke."""

    async def post(self, username: str) -> None:
        """Give the bot a new token, as BotFather's /revoke does, and show it."""
        bot = self.get_bot(username)
        with self.sandbox.store.change():
            token = bots.revoke(self.sandbox, bot)
            queue = managing.tell(self.sandbox, bot)
        await self.sandbox.commit(*filter(None, [queue]))
        self.answer({"token": token})


class BanHandler(FaceHandler):
    """POST bots/<username>/ban."""

    async def post(self, username: str) -> None:
        """Ban the bot, or let it be again with {"banned": false}."""
        bot, is_banned = self.get_bot(username), take(self.read_json(), "banned", bool, True)
        bots.ban(self.sandbox, bot, is_banned)
        await self.sandbox.commit()
        self.sandbox.courier.hurry(f"bot:{bot['id']}")
        self.answer({"banned": is_banned})


class ManagedBotsHandler(FaceHandler):
    """POST bots/<username>/managed."""

    async def post(self, username: str) -> None:
        """Make a bot by this one's link, as the person `user_id`."""
        body, manager = self.read_json(), self.get_bot(username)
        owner = {
            "id": take(body, "user_id", int),
            "is_bot": False,
            "first_name": take(body, "first_name", str, "Ana"),
        }
        wanted = take(body, "username", str).removeprefix("@")
        with self.sandbox.store.change():
            made, queue = managing.make(self.sandbox, manager, wanted, take(body, "name", str, wanted), owner)
        await self.sandbox.commit(queue)
        self.answer(bots.as_user(made))


class AllMessagesHandler(FaceHandler):
    """GET bots/<username>/messages."""

    async def get(self, username: str) -> None:
        """Give what was said in all of a bot's chats, as Message objects."""
        self.answer(messages.list_all_after(self.sandbox, self.get_bot(username), self.read_number("after")))


class MessagesHandler(FaceHandler):
    """GET and POST bots/<username>/chats/<chat_id>/messages."""

    async def get(self, username: str, chat_id: str) -> None:
        """Give the chat as Message objects."""
        self.answer(messages.list_after(self.sandbox, self.get_bot(username), int(chat_id), self.read_number("after")))

    async def post(self, username: str, chat_id: str) -> None:
        """Write to the bot."""
        body = self.read_json()
        person = {name: take(body, name, str, "") for name in NAMES}
        with self.sandbox.store.change():
            message, queue = chats.say(
                self.sandbox, self.get_bot(username), int(chat_id), take(body, "text", str), person
            )
        await self.sandbox.commit(queue)
        self.answer(message)


class TapsHandler(FaceHandler):
    """POST bots/<username>/chats/<chat_id>/taps."""

    async def post(self, username: str, chat_id: str) -> None:
        """Tap a button by the text it shows."""
        body = self.read_json()
        with self.sandbox.store.change():
            done, queue = chats.tap(
                self.sandbox,
                self.get_bot(username),
                int(chat_id),
                take(body, "button", str),
                take(body, "message_id", int, None),
            )
        await self.sandbox.commit(*filter(None, [queue]))
        self.answer(done)


class BlocksHandler(FaceHandler):
    """POST bots/<username>/chats/<chat_id>/block."""

    async def post(self, username: str, chat_id: str) -> None:
        """Block the bot, or unblock it with {"blocked": false}."""
        is_blocked = take(self.read_json(), "blocked", bool, True)
        with self.sandbox.store.change():
            queue = chats.block(self.sandbox, self.get_bot(username), int(chat_id), is_blocked)
        await self.sandbox.commit(*filter(None, [queue]))
        self.answer({"blocked": is_blocked})


class CheckoutsHandler(FaceHandler):
    """POST bots/<username>/chats/<chat_id>/checkouts."""

    async def post(self, username: str, chat_id: str) -> None:
        """Confirm an invoice: the bot is asked by a pre_checkout_query."""
        body = self.read_json()
        with self.sandbox.store.change():
            query, queue = chats.check_out(
                self.sandbox,
                self.get_bot(username),
                int(chat_id),
                take(body, "payload", str),
                take(body, "total_amount", int),
                take(body, "currency", str, "XTR"),
            )
        await self.sandbox.commit(queue)
        self.answer(query)


class ChangesHandler(FaceHandler):
    """GET bots/<username>/chats/<chat_id>/changes: what the chat page asks for again and again."""

    async def get(self, username: str, chat_id: str) -> None:
        """Give what changed since the number `since`, whether the bot is typing, and how its webhook does."""
        bot = self.get_bot(username)
        chat = chats.find(self.sandbox, bot, int(chat_id))
        state = {
            "is_typing": self.sandbox.typing.get((bot["id"], int(chat_id)), 0) > self.sandbox.clock(),
            "is_blocked": chat is not None and bool(chat["is_blocked"]),
            "webhook": webhooks.describe(self.sandbox, bot),
        }
        self.answer(messages.list_changes(self.sandbox, bot, int(chat_id), self.read_number("since")) | state)


class CallsHandler(FaceHandler):
    """GET calls."""

    async def get(self) -> None:
        """Give the Bot API calls received after `after`."""
        self.answer(calls.list_after(self.sandbox, self.read_number("after")))


class PostsHandler(FaceHandler):
    """GET posts."""

    async def get(self) -> None:
        """Give the updates and events behind `after`, each with what became of it; a thousand at a time."""
        self.answer(parcels.list_after(self.sandbox, self.read_number("after")))


class FaultsHandler(FaceHandler):
    """GET, POST and DELETE faults."""

    async def get(self) -> None:
        """List the faults that may still strike."""
        self.answer(faults.list_all(self.sandbox))

    async def post(self) -> None:
        """Make something go wrong."""
        fault_id = faults.add(self.sandbox, self.read_json())
        await self.sandbox.commit()
        self.answer({"id": fault_id})

    async def delete(self) -> None:
        """Take back every fault."""
        faults.clear(self.sandbox)
        await self.sandbox.commit()
        self.answer({})


class LimitsHandler(FaceHandler):
    """GET and POST limits: how strict the sandbox is until it is restarted."""

    async def get(self) -> None:
        """Give how many messages of one chat may come at once (0: any number), and whether new tokens are held up."""
        floods = self.sandbox.floods
        self.answer({"chat_burst": floods.burst, "new_tokens": floods.limits_tokens})

    async def post(self) -> None:
        """Set it."""
        body, floods = self.read_json(), self.sandbox.floods
        burst = take(body, "chat_burst", int, floods.burst)
        if burst < 0:
            raise Invalid("'chat_burst' must be 0 or more.")
        floods.burst = burst
        floods.limits_tokens = take(body, "new_tokens", bool, floods.limits_tokens)
        await self.get()


class PixHandler(FaceHandler):
    """GET pix."""

    async def get(self) -> None:
        """List the charges, the newest first."""
        self.answer(charges.list_all(self.sandbox))


class PayHandler(FaceHandler):
    """POST pix/<txid>/pay."""

    async def post(self, txid: str) -> None:
        """Pay a charge, once or `times` times, in full or with `amount_cents`, told of as the other options say."""
        body = self.read_json()
        with self.sandbox.store.change():
            charge, queues = payments.pay(
                self.sandbox,
                txid,
                take(body, "amount_cents", int, None),
                take(body, "times", int, 1),
                {name: body[name] for name in TELLING if body.get(name) is not None},
                is_forged=take(body, "forged", bool, False),
            )
        await self.sandbox.commit(*queues)
        self.answer(charge)


class ReturnsHandler(FaceHandler):
    """POST pix/<txid>/disputes and pix/<txid>/refunds."""

    async def post(self, txid: str, what: str) -> None:
        """Open a dispute, as a buyer's bank does; or choose how the charge's next refunds go."""
        body = self.read_json()
        with self.sandbox.store.change():
            if what == "refunds":
                returns.set_mode(self.sandbox, txid, take(body, "mode", str))
                queues: list[str] = []
            else:
                transfer, cents = take(body, "end_to_end_id", str, None), take(body, "amount_cents", int, None)
                _, queues = returns.dispute(self.sandbox, txid, transfer, cents)
        await self.sandbox.commit(*queues)
        self.answer(charges.describe(self.sandbox, charges.get_row(self.sandbox, txid)))


class ReturnHandler(FaceHandler):
    """POST returns/<id>/<done or void>."""

    async def post(self, return_id: str, status: str) -> None:
        """End what pends: a refund is done or fails, a dispute is lost (done) or won (void) by the seller."""
        with self.sandbox.store.change():
            row, queues = returns.end(self.sandbox, return_id, status)
        await self.sandbox.commit(*queues)
        self.answer(charges.describe(self.sandbox, charges.get_row(self.sandbox, row["txid"])))
