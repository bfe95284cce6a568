"""A replay that notes who waited for whom, and on which parts of shared state: what ``retime`` evaluates.

Between two moments at which virtual CPUs meet, the time of one is a sum of costs; where one waits for a signal, it is a
maximum. That is the graph of waits: nodes are such moments, with the actions taken since the one before on the same
virtual CPU. It holds at other prices as long as mechanisms with state do what they did; they do if rows that meet in
the same part of their state come in the same order. Of these pairs of rows, those whose order no wait settles are
noted too, for ``retime`` to check.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.engine.base import Outcome, Replay
from simulator.engine.census import COMPUTATION
from simulator.engine.ledger import PlainMechanisms
from simulator.engine.reference import replay_row_by_row
from simulator.engine.shared import SharedStream
from simulator.events import COMPUTE_KINDS
from simulator.mechanisms import Event, StatelessMechanism
from simulator.mechanisms.base import WHOLE_ORDER
from simulator.model import Pricing
from simulator.stream import AS_RECORDED, START_SIGNAL, Array

Moment = tuple[int, int]
"""A virtual CPU, and a number that grows with its time."""
Pair = tuple[Moment, Moment]
"""Two that must stay in this order."""

_START: Moment = (-1, -1)
"""The start of the replay, which is no node."""
_MOST = 2**62
_MOST_ROWS = 2_000_000  # of which notes fit in memory: some 100 bytes each
_COLUMNS = ("kind", "count", "user_ns", "kernel_ns", "waits", "wait_latency_ns", "posts", "post_delay_ns")


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph of waits of one replay. Nodes stand in an order in which each comes after all that it hangs on.

    Of each node: ``vcpus``, on which virtual CPU; ``counts``, how many of each of ``actions`` were taken since the node
    before on it (nodes x actions); ``awaited``, the node that it waits for, -1 if none, the number of nodes for the
    start of the replay; ``offsets_ns``, how long after that it may go on. ``ends`` is the last node of each virtual
    CPU. ``before`` and ``after`` are nodes that must stay in this order.
    """

    actions: tuple[str, ...]
    vcpus: Array
    counts: Array
    awaited: Array
    offsets_ns: tuple[int, ...]
    ends: tuple[int, ...]
    before: Array
    after: Array


def is_traceable(replay: Replay) -> bool:
    """Tell whether virtual CPUs meet by signals alone: nobody shares a physical CPU, and nothing interrupts."""
    vcpus = replay.stream.header.vcpus
    if replay.timer_hz or (replay.model.machine.physical_cpus or vcpus) < vcpus or replay.rows > _MOST_ROWS:
        return False
    for vcpu in range(vcpus):
        batches = list(replay.stream.batches(vcpu))
        if not batches or any((batch.column("completion") != AS_RECORDED).any() for batch in batches):
            return False
    return True


def trace(replay: Replay) -> tuple[Outcome, Graph | None]:
    """Replay what is traceable, and return the outcome with the graph of waits.

    In place of the graph stands None where the order of all rows matters to a mechanism, or 64 bits may not hold its
    numbers.

    Raises:
        ModelError, RunError: as for any replay.
    """
    pricing = replay.model.start()
    notes = _Notes(pricing, replay.stream.header.vcpus)
    outcome = replay_row_by_row(replay, pricing, notes)
    actions = sum(n for counts in outcome.vcpu_counts for n in counts.actions.values())
    if notes.whole_order or notes.too_large or actions >= _MOST:
        return outcome, None
    return outcome, _Builder(SharedStream(replay.stream, 1), pricing, notes, outcome).graph()


class _Notes(PlainMechanisms):
    """Mechanisms that are asked row by row, with notes of what they did, and which rows met in their state.

    ``asked`` is how many rows of each virtual CPU were asked; ``taken`` are triples of the number of such a row, the
    number of an action and how many. ``pairs`` are numbers of such rows.
    """

    def __init__(self, pricing: Pricing, vcpus: int) -> None:
        super().__init__(pricing, vcpus)
        self.numbers: dict[str, int] = {}
        self.asked = [0] * vcpus
        self.taken = [array("q") for _ in range(vcpus)]
        self.pairs: dict[Pair, None] = {}
        self.whole_order = self.too_large = False
        self._stateful = [m for m in pricing.chain.mechanisms if not isinstance(m, StatelessMechanism)]
        self._parts: defaultdict[Hashable, _Part] = defaultdict(_Part)
        self._vcpu = 0

    def ask(self, event: Event) -> int:
        """Ask each mechanism that serves the row."""
        self._vcpu = event.vcpu
        self._meet((event.vcpu, self.asked[event.vcpu]), event)
        ticks = super().ask(event)
        self.asked[event.vcpu] += 1
        return ticks

    def _meet(self, row: Moment, event: Event) -> None:
        for mechanism in self._stateful:
            if event.kind in mechanism.reads() or mechanism.answers() or mechanism.watches():
                for part, changes in mechanism.touches(event):
                    self.whole_order |= part == WHOLE_ORDER
                    for earlier in self._parts[mechanism.name, part].meet(row, changes=changes):
                        self.pairs[earlier, row] = None

    def _take(self, action: str, n: int) -> None:
        super()._take(action, n)
        self.too_large |= n >= _MOST
        if self.too_large:
            return
        number = self.numbers.setdefault(action, len(self.numbers))
        self.taken[self._vcpu].extend((self.asked[self._vcpu], number, n))


@dataclass(slots=True)
class _Part:
    """A part of the state: the row that changed it last, and the last row of each virtual CPU that looked since."""

    changed: Moment | None = None
    looked: dict[int, Moment] = field(default_factory=dict)

    def meet(self, row: Moment, *, changes: bool) -> Iterator[Moment]:
        """Give the rows of other virtual CPUs that must stay before this one."""
        if self.changed and self.changed[0] != row[0] and row[0] not in self.looked:  # else an earlier look was told
            yield self.changed
        if not changes:
            self.looked[row[0]] = row
            return
        yield from (each for vcpu, each in self.looked.items() if vcpu != row[0])
        self.changed = row
        self.looked.clear()


class _Rows:
    """The rows of one virtual CPU. ``asked`` are those that were asked."""

    def __init__(self, stream: SharedStream, vcpu: int, pricing: Pricing) -> None:
        batches = [batch for batch, _ in stream.batches(vcpu, 0)]
        self._columns = {name: np.concatenate([batch.column(name) for batch in batches]) for name in _COLUMNS}
        self.kinds = [kind for kind in np.unique(self["kind"]).tolist() if kind not in COMPUTE_KINDS]
        stateful = [kind for kind in self.kinds if pricing.recipe(kind) is None]
        self.asked = np.flatnonzero(np.isin(self["kind"], stateful))
        self.waits: list[int] = np.flatnonzero(self["waits"] >= 0).tolist()
        self.posts: list[int] = np.flatnonzero(self["posts"] >= 0).tolist()

    def __len__(self) -> int:
        return len(self["kind"])

    def __getitem__(self, column: str) -> Array:
        return self._columns[column]


class _Builder:
    """Puts the graph together: which moments are nodes, in which order, and what was taken between them.

    A moment is a virtual CPU and a position: twice the number of a row, when its computation and its wait are over, and
    one more when its event is.
    """

    def __init__(self, stream: SharedStream, pricing: Pricing, notes: _Notes, outcome: Outcome) -> None:
        self._pricing = pricing
        self._notes = notes
        self._outcome = outcome
        self._rows = [_Rows(stream, vcpu, pricing) for vcpu in range(stream.header.vcpus)]
        self._posts = {
            int(rows["posts"][row]): (vcpu, row) for vcpu, rows in enumerate(self._rows) for row in rows.posts
        }

    def graph(self) -> Graph:
        """Return the graph."""
        pairs = self._unsettled_pairs()
        checked = {moment for pair in pairs for moment in pair}
        order = self._in_order(checked | {(vcpu, 2 * len(rows) - 1) for vcpu, rows in enumerate(self._rows)})
        number = {moment: node for node, moment in enumerate(order)} | {_START: len(order)}
        waits = [self._wait(moment) for moment in order]
        actions = sorted({action for counts in self._outcome.vcpu_counts for _, action in counts.actions})
        return Graph(
            actions=tuple(actions),
            vcpus=np.array([vcpu for vcpu, _ in order]),
            counts=self._counts(order, actions),
            awaited=np.array([number[post] if post else -1 for post, _ in waits]),
            offsets_ns=tuple(offset for _, offset in waits),
            ends=tuple(number[vcpu, 2 * len(rows) - 1] for vcpu, rows in enumerate(self._rows)),
            before=np.array([number[before] for before, _ in pairs], dtype=np.int64),
            after=np.array([number[after] for _, after in pairs], dtype=np.int64),
        )

    def _unsettled_pairs(self) -> list[Pair]:
        """Return the pairs of moments whose order no wait settles, each once."""
        known: dict[Moment, dict[int, int]] = {}
        joins: list[list[Moment]] = [[] for _ in self._rows]
        latest: list[dict[int, int]] = [{} for _ in self._rows]
        for moment in self._in_order(()):
            vcpu = moment[0]
            post, _ = self._wait(moment)
            if post and post != _START:
                theirs = {**known[post], post[0]: post[1]}
                mine = latest[vcpu]
                latest[vcpu] = {each: max(theirs.get(each, -1), mine.get(each, -1)) for each in theirs | mine}
                joins[vcpu].append(moment)
            known[moment] = latest[vcpu]

        def settled(before: Moment, after: Moment) -> bool:
            join = bisect_right(joins[after[0]], after) - 1
            return join >= 0 and known[joins[after[0]][join]].get(before[0], -1) > before[1]

        return [pair for pair in map(self._moments, self._notes.pairs) if not settled(*pair)]

    def _moments(self, pair: Pair) -> Pair:
        """Return when two rows were asked, which are given by their numbers among those that were."""
        (a, i), (b, j) = pair
        return (a, 2 * int(self._rows[a].asked[i])), (b, 2 * int(self._rows[b].asked[j]))

    def _in_order(self, more: Collection[Moment]) -> list[Moment]:
        """Return the moments of waits and posts, and more, each after all that it hangs on."""
        positions: list[set[int]] = [set() for _ in self._rows]
        for vcpu, rows in enumerate(self._rows):
            positions[vcpu].update(2 * row for row in rows.waits)
            positions[vcpu].update(2 * row + 1 for row in rows.posts)
        for vcpu, position in more:
            positions[vcpu].add(position)
        left = [deque(sorted(each)) for each in positions]
        order: dict[Moment | None, None] = {None: None, _START: None}
        while any(left):
            for vcpu, ahead in enumerate(left):
                while ahead and self._wait((vcpu, ahead[0]))[0] in order:
                    order[vcpu, ahead.popleft()] = None
        return [moment for moment in order if moment is not None and moment != _START]

    def _wait(self, moment: Moment) -> tuple[Moment | None, int]:
        """Return the moment that one waits for, if any, and how many nanoseconds after it one may go on."""
        vcpu, position = moment
        row, ended = divmod(position, 2)
        signal = int(self._rows[vcpu]["waits"][row])
        if ended or signal < 0:
            return None, 0
        latency = int(self._rows[vcpu]["wait_latency_ns"][row])
        if signal == START_SIGNAL:
            return _START, latency
        poster, posting = self._posts[signal]
        return (poster, 2 * posting + 1), latency + int(self._rows[poster]["post_delay_ns"][posting])

    def _counts(self, order: Sequence[Moment], actions: Sequence[str]) -> Array:
        """Return what was taken since the node before on the same virtual CPU: nodes x actions."""
        found = np.zeros((len(order), len(actions)), dtype=np.int64)
        for vcpu, rows in enumerate(self._rows):
            nodes = [node for node, moment in enumerate(order) if moment[0] == vcpu]
            positions = np.array([order[node][1] for node in nodes])
            for column, action in enumerate(actions):
                computing, serving = self._taken(vcpu, rows, action)
                until = np.cumsum(computing)[positions // 2]
                until += np.concatenate(([0], np.cumsum(serving)))[(positions + 1) // 2]
                found[nodes, column] = np.diff(until, prepend=0)
        return found

    def _taken(self, vcpu: int, rows: _Rows, action: str) -> tuple[Array, Array]:
        """Return how many of an action each row took, in its computation and in its event."""
        recipe = self._pricing.recipe
        computing, serving = np.zeros((2, len(rows)), dtype=np.int64)
        for kind, column in COMPUTATION:
            if rows[column].any():
                computing += rows[column] * (recipe(kind) or {}).get(action, 0)
        for kind in rows.kinds:
            each = (recipe(kind) or {}).get(action, 0)
            if each:
                serving += np.where(rows["kind"] == kind, each * rows["count"], 0)
        taken = np.array(self._notes.taken[vcpu], dtype=np.int64).reshape(-1, 3)
        taken = taken[taken[:, 1] == self._notes.numbers.get(action, -1)]
        np.add.at(serving, rows.asked[taken[:, 0]], taken[:, 2])
        return computing, serving
