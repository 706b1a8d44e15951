"""What every kind of delivery is: what a delivery step hands over, and what it says about that later on.

A kind is one file of this folder with one subclass of `DeliveryKind`: a frozen dataclass whose `kind` is its name in a
step's `gives` and whose fields are declared as a step's are. Nothing else has to be told: handovers.py finds it. All of
it is pure: a right to be in a group is a `Grant`, which services/accesses.py writes down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from grimbots.services.funnels.effects import Grant, Say
from grimbots.services.funnels.events import AccessNews, Tapped
from grimbots.services.funnels.problems import Finding

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.base import Exit, Scene, Turn
    from grimbots.services.funnels.steps.delivery import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryKind(ABC):
    """One way of handing over what was paid for. The step it stands in has the text, the files and the link."""

    kind: ClassVar[str]

    @abstractmethod
    def default_text(self, language: str) -> str:
        """Give what is said where the step has no text."""

    def rows(self, variables: Mapping[str, str], language: str) -> Sequence[Mapping[str, Any]]:
        """Give the buttons it adds to what the step says."""
        return ()

    def grant(self, step: Delivery, scene: Scene) -> Grant | None:
        """Give the right it hands over, if it is one to be in a group."""
        return None

    def find_group(self) -> int | None:
        """Give the group it lets into: its product is not sold while the bot cannot."""
        return None

    def tell(self, step: Delivery, news: AccessNews, scene: Scene) -> tuple[Say, ...]:
        """Say what has become of a right it gave."""
        return ()

    def take_tap(self, tap: Tapped, scene: Scene) -> Turn | None:
        """Do what follows from a tap of a button it said."""
        return None

    def exits(self) -> Iterator[Exit]:
        """Give the ways out of the step that it adds."""
        yield from ()

    def taps(self) -> Sequence[str]:
        """Give the ids of its buttons that come back to the step."""
        return ()

    def check(self, step: Delivery) -> Iterator[Finding]:
        """Give what is wrong between its fields and the step's."""
        yield from ()
