"""Jobs and moves refuse what the keys could not tell apart."""

from __future__ import annotations

import pytest

from grimbots.queue.job import Job, Register


@pytest.mark.parametrize(
    ("job_id", "queue", "source"), [("", "tasks", "b1"), ("1", "", "b1"), ("1", "a:b", "b1"), ("1", "tasks", "b|1")]
)
def test_make_job_refuses_separators(job_id: str, queue: str, source: str) -> None:
    with pytest.raises(ValueError, match="are needed"):
        Job(job_id, "a.b", queue, source, "1")


@pytest.mark.parametrize("consumer", ["host", "host:1", "host:x:1", "host:1:"])
def test_make_register_refuses_a_name_without_slot_and_boot(consumer: str) -> None:
    with pytest.raises(ValueError, match="<boot ns>"):
        Register(consumer)
