"""The files of named statements: what is read, and what is refused with file and line."""

from __future__ import annotations

import pytest

from grimbots.sql.statements import QueryFileError, load

GOOD = """-- What these are.

-- name: add :exec
-- Why it is there.
INSERT INTO x (a, b)
VALUES (%(a)s, %(b)s)

-- name: find :one
SELECT a
FROM x
WHERE a = %(a)s
  AND b = %(a)s
"""


def read(tmp_path, text, name="things.sql"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return load(tmp_path)


def test_load_reads_names_kinds_and_parameters(tmp_path):
    things = read(tmp_path, GOOD)["things"]
    assert [(name, s.title, s.kind, set(s.parameters)) for name, s in things.items()] == [
        ("add", "things.add", "exec", {"a", "b"}),
        ("find", "things.find", "one", {"a"}),
    ]


def test_load_gives_an_aggregate_per_file(tmp_path):
    read(tmp_path, GOOD)
    assert list(read(tmp_path, GOOD, "others.sql")) == ["others", "things"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("-- name: x :few\nSELECT 1", 1, "kind one of :one, :many, :value, :exec, :later"),
        ("-- name: x\nSELECT 1", 1, "must be `-- name: <name> :<kind>`"),
        ("-- name: x-y :one\nSELECT 1", 1, "'x-y' cannot be called from Python"),
        ("-- name: x :one\nSELECT 1\n\n-- name: x :one\nSELECT 2", 4, "x is there twice"),
        ("-- name: y :one\nSELECT 1\n\n-- name: x :one\nSELECT 2", 4, "x must stand before y"),
        ("-- name: x :one\nSELECT '5%'", 1, "a `%` that begins no parameter is written `%%`"),
        ("-- name: x :one\nSELECT %s", 1, "a `%` that begins no parameter is written `%%`"),
        ("-- name: x :one\n-- only words\n", 1, "x has no SQL"),
        ("-- comment\nSELECT 1\n-- name: x :one\nSELECT 1", 2, "SQL before the first"),
    ],
)
def test_load_refuses_with_file_and_line(tmp_path, text, line, message):
    with pytest.raises(QueryFileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'things.sql'}:{line}: ")
    assert message in str(caught.value)
