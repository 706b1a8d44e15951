"""aiohttp, each update queued with arq before its 200. https://arq-docs.helpmanual.io/ (0.28.0, November 2026)."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

from aiohttp import web
from arq import ArqRedis, Worker, create_pool, func
from arq.connections import RedisSettings

from grimbots.tests.bench.front.contract import (
    HOST,
    PATH,
    REDIS_URL,
    SECRET,
    SECRET_HEADER,
    execute,
    find_chat,
    main,
)

SETTINGS = RedisSettings.from_dsn(REDIS_URL)
POOL = web.AppKey("pool", ArqRedis)


async def _take(request: web.Request) -> web.Response:
    if not hmac.compare_digest(request.headers.get(SECRET_HEADER, ""), SECRET):
        raise web.HTTPUnauthorized
    await request.app[POOL].enqueue_job("handle", await request.json())
    return web.Response()


async def _open_pool(app: web.Application) -> None:
    app[POOL] = await create_pool(SETTINGS)


def serve(port: int) -> None:
    """Serve until killed."""
    app = web.Application()
    app.on_startup.append(_open_pool)
    app.router.add_post(PATH, _take)
    web.run_app(app, host=HOST, port=port, access_log=None, print=None)


async def _handle(context: dict[str, Any], update: dict[str, Any]) -> None:
    await execute(find_chat(update))


def work() -> None:
    """Run jobs until killed."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker([func(_handle, name="handle", keep_result=0)], redis_settings=SETTINGS, max_jobs=50).run()


if __name__ == "__main__":
    main(serve, work)
