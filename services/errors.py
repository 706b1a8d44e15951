"""What a service may raise to its caller: a closed list. `handlers/base.py` maps each code to an HTTP status, once.

    ServiceError
    ├── Invalid        400  the input breaks a rule; the message says which and what to do
    ├── Unauthorized   401  nobody, or the wrong secret
    ├── Forbidden      403  somebody, but not allowed
    ├── NotFound       404  no such thing in this account
    ├── Conflict       409  the thing is in a state that does not allow this
    ├── TooMany        429  over a limit; `retry_after_seconds` says when
    └── Unavailable    503  a store or a party is away; nothing was done, try again

Anything else that escapes a service is a bug: logged with its traceback, answered as "Internal error".
"""


class ServiceError(Exception):
    """A refusal with a code and a sentence for the person who caused it."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(ServiceError):
    """The input breaks a rule."""

    code = "invalid"


class Unauthorized(ServiceError):
    """No identity, or a wrong secret."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """A known identity without the right."""

    code = "forbidden"


class NotFound(ServiceError):
    """No such thing in this account."""

    code = "not_found"


class Conflict(ServiceError):
    """The thing's state does not allow this."""

    code = "conflict"


class TooMany(ServiceError):
    """Over a limit."""

    code = "too_many"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ServiceError):
    """A store or a party is away; nothing was done."""

    code = "unavailable"

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
