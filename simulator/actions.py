"""Action counts: what happened, before anything is priced. They are exact and they add."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class ActionCounts:
    """How many events of each kind were served, and how many actions each kind took.

    ``events`` is by event kind (code). ``actions`` is by event kind and action. The actions of the two kinds of
    computation are nanoseconds, their events are stretches.

    >>> a = ActionCounts(Counter({3: 2}), Counter({(3, "syscall"): 2}))
    >>> (a + a).actions[3, "syscall"]
    4
    """

    events: Counter[int] = field(default_factory=Counter)
    actions: Counter[tuple[int, str]] = field(default_factory=Counter)

    def __add__(self, other: ActionCounts) -> ActionCounts:
        events, actions = Counter(self.events), Counter(self.actions)
        events.update(other.events)
        actions.update(other.actions)
        return ActionCounts(events, actions)
