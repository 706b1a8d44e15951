"""Registry: the Bot API methods the sandbox knows, each with its parameters as the Bot API documents them.

`@method("sendMessage", "chat_id text disable_notification:boolean")` declares names and their types (text where none is
given). Values come as JSON, form or multipart fields: a number or an object may arrive as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.foreign_json import read_json
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row


class Upload(bytes):
    """The content of an uploaded file, and the name it came under."""

    name: str = ""


def make_upload(content: bytes, name: str) -> Upload:
    """Make an upload."""
    upload = Upload(content)
    upload.name = name
    return upload


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one bot: parameters of the declared types only, and the uploaded files by field name.

    `queues`: those of the updates it caused, to be woken once they are on disk.
    """

    sandbox: Sandbox
    bot: Row
    params: Mapping[str, Any]
    files: Mapping[str, Upload] = field(default_factory=dict)
    queues: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """A result that comes with a description."""

    result: Any
    description: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; `kind` is text, integer, boolean, json or file."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method as the documents spell it, its parameters, and what it does: give a result or Told, or raise Refusal."""

    name: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Call], Any]


METHODS: dict[str, Method] = {}
"""By lower-case name: method names are case-insensitive. Filled as the method modules are imported."""


def method(name: str, declared: str = "") -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Make a function the Bot API method `name`."""

    def register(run: Callable[[Call], Any]) -> Callable[[Call], Any]:
        METHODS[name.lower()] = Method(name, tuple(_declare(word) for word in declared.split()), run)
        return run

    return register


def read_params(known: Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the declared parameters that are there, in their types; like Telegram, pass over unknown names and nulls.

    Raises:
        Refusal: a value cannot be of its type.
    """
    read = {}
    for parameter in known.parameters:
        value = given.get(parameter.name)
        if value is not None:
            read[parameter.name] = READERS[parameter.kind](parameter.name, value)
    return read


def _declare(word: str) -> Parameter:
    name, _, kind = word.partition(":")
    return Parameter(name, kind or "text")


def _read_text(name: str, value: Any) -> str:
    if isinstance(value, dict | list | bool):
        raise _refuse(name, "String")
    return str(value)


def _read_integer(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    raise _refuse(name, "Integer")


def _read_boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "1", "yes"}:
        return True
    if str(value).lower() in {"false", "0", "no", ""}:
        return False
    raise _refuse(name, "Boolean")


def _read_json(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value) if value else None
    except ValueError as error:
        raise Refusal(400, f"Bad Request: can't parse {name} JSON object") from error


def _read_file(name: str, value: Any) -> str:
    return _read_text(name, value)


def _refuse(name: str, kind: str) -> Refusal:
    return Refusal(400, f'Bad Request: field "{name}" must be of type {kind}')


READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "text": _read_text,
    "integer": _read_integer,
    "boolean": _read_boolean,
    "json": _read_json,
    "file": _read_file,
}
