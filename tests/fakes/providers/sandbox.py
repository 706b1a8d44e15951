"""The sandbox's provider, where the contract suite looks for it."""

from grimbots.tests.fakes.provider import FakeProvider


class Fake(FakeProvider):
    """Nothing but its name."""
