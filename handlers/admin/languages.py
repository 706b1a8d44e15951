"""POST /language: the reader's choice, kept in a cookie."""

from __future__ import annotations

from grimbots.handlers.admin.base import LANGUAGE_COOKIE, YEAR_SECONDS, PageHandler
from grimbots.handlers.admin.texts import LANGUAGES
from grimbots.services.errors import Invalid


class LanguageHandler(PageHandler):
    """The switch at the top of every page."""

    is_open = True

    def post(self) -> None:
        """Keep the choice and go back to where it was made."""
        language, back = self.get_body_argument("language", ""), self.get_body_argument("back", "/")
        if language not in LANGUAGES:
            raise Invalid("there is no such language here")
        self.set_own_cookie(self.cookie_name(LANGUAGE_COOKIE), language, YEAR_SECONDS)
        self.go(back if _is_own_path(back) else "/")


def _is_own_path(path: str) -> bool:
    """Tell whether this is a path here: browsers read `//` and `/\\` as the begin of another site's name."""
    return path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
