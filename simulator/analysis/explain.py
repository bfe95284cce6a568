"""Why one replay takes longer than another: contributions that add up to the difference, exactly.

``total`` is the makespan: the time of the virtual CPU that ends last is what it was busy with, by event and action, and
what it waited and was idle. ``busy`` is the busy time of all virtual CPUs. Both are compared in seconds, as exact
fractions, since the clocks of two machines may differ.

Each contribution is split in two. With counts m and n, and prices p and q, n q - m p is (n - m) (p + q) / 2, the
change of the count at the mean price, and (q - p) (m + n) / 2, the change of the price at the mean count. The split
treats both sides alike: explained the other way round, every number changes its sign. By parameter, the change of a
price belongs to the cost of its action, and to the clock as far as that made it; the change of counts belongs to
everything else that differs, taken together; waits and idle time hang on all of it, and stand for themselves. Where one
parameter is all that differs, the whole difference is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from simulator.actions import ActionCounts
from simulator.analysis.differences import Difference, differences
from simulator.analysis.points import costs_of, inputs, point_named, written_cost
from simulator.analysis.shapley import shapley
from simulator.engine.base import CpuTime
from simulator.errors import InputError, RunError, did_you_mean
from simulator.events import BY_CODE
from simulator.result import Replayed, Result
from simulator.units import Clock, Cost
from simulator.workload.untold import times_notes

Total = Literal["total", "busy"]
"""What is explained: the time from start to end, or the busy time of all virtual CPUs."""

WAITING, IDLE = "waiting", "idle"
_HALF = Fraction(1, 2)
MEANS = "changes of prices at mean counts, changes of counts at mean prices"
SHAPLEY = "the Shapley value of each setting: its mean effect over all orders of setting them, by replays"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two replays: what it is called, what happened, what its actions cost, and what it was made from.

    ``inputs`` is the resolved workload and model, as values; ``notes`` say it if its times are those of no machine.
    """

    label: str
    replayed: Replayed
    costs: Mapping[str, Cost]
    inputs: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The virtual CPU that ends last; the first of them if several do."""
        ends = [cpu.end for cpu in self.replayed.outcome.vcpus]
        return ends.index(max(ends))

    def counts(self, of: Total) -> ActionCounts:
        """Return what is counted in the total."""
        outcome = self.replayed.outcome
        return outcome.counts if of == "busy" else outcome.vcpu_counts[self.last]

    def seconds(self, ticks: int) -> Fraction:
        """Return ticks of this side's clock as seconds."""
        return Fraction(ticks, self.replayed.clock.ticks_per_second)

    def price(self, action: str) -> Fraction | None:
        """Return the cost of one action in seconds; None if the model cannot take it."""
        ticks = self.replayed.ticks.get(action)
        return None if ticks is None else self.seconds(ticks)

    def time(self, of: Total) -> Fraction:
        """Return the total in seconds."""
        outcome = self.replayed.outcome
        return self.seconds(outcome.busy if of == "busy" else outcome.makespan)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one kind of action in one kind of event adds to the difference; waits and idle time have no event.

    ``before`` and ``after`` are how many actions there were, 0 for waits; ``of_counts`` and ``of_prices`` are the two
    parts of ``seconds``.
    """

    event: str
    action: str
    before: int
    after: int
    seconds: Fraction
    of_counts: Fraction
    of_prices: Fraction


@dataclass(frozen=True, slots=True)
class ParameterShare:
    """What a parameter that differs adds to the difference; for costs and the clock with both values.

    Where it is the share of counts, ``parts`` are what they hang on, of what differs; ``parameter`` names them all.
    """

    parameter: str
    before: str
    after: str
    seconds: Fraction
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why ``after`` takes longer or shorter than ``before``; both kinds of shares add up to the difference.

    Shares are sorted by their size, the largest first. ``remark`` is what a reader must know, empty if there is none;
    ``notes`` are those of either side.
    """

    workload: str
    before: str
    after: str
    of: Total
    seconds_before: Fraction
    seconds_after: Fraction
    contributions: tuple[Contribution, ...]
    parameters: tuple[ParameterShare, ...]
    changed: tuple[Difference, ...]
    remark: str
    method: str = MEANS
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> Fraction:
        """How much longer ``after`` takes, in seconds."""
        return self.seconds_after - self.seconds_before


def side(result: Result, workload: str, model: str, point: str = "", label: str = "") -> Side:
    """Return one replay of a result, ready to be explained; ``point`` is found as ``points.point_named`` does.

    Raises:
        InputError: the result keeps no counts, or has no such replay; the message names what it has.
    """
    check_has_counts(result)
    here = {(r.workload, r.model): None for r in result.replays}
    for what, name, known in (
        ("workload", workload, [w for w, _ in here]),
        ("model", model, [m for _, m in here]),
    ):
        if name not in known:
            near, has = did_you_mean(name, known), ", ".join(sorted(set(known)))
            raise InputError(f"'{result.title}' has no {what} '{name}'{near}; it has {has}")
    at = point_named(result, point)
    for replayed in result.replays:
        if (replayed.workload, replayed.model, replayed.point) == (workload, model, at):
            made_from = inputs(result, at)
            costs = dict(costs_of(replayed, made_from["models"][model]["costs"]))
            parts = {
                "model": _at_costs(made_from["models"][model], costs),
                "workload": made_from["workloads"][workload],
            }
            parts["seed"] = made_from.get("seed", result.metadata["seed"])
            whose = {name: each for name, each in result.false_times.items() if name == workload}
            return Side(label or _name(model, at), replayed, costs, parts, tuple(times_notes(whose)))
    raise InputError(f"'{result.title}' has no replay of '{workload}' under '{model}' at the point '{at}'")


def _name(model: str, point: str) -> str:
    return f"{model} at {point}" if point else model


def _at_costs(model: Mapping[str, Any], costs: Mapping[str, Cost]) -> dict[str, Any]:
    """Return a model, as values, with the costs of a replay: at a sweep point they may be others than written."""
    written = model["costs"]
    changed = {
        action: {**written[action], "cost": str(cost)}
        for action, cost in costs.items()
        if action in written and written_cost(str(written[action]["cost"])) != cost
    }
    return {**model, "costs": {**written, **changed}}


def check_has_counts(result: Result) -> None:
    """Refuse a result without counts.

    Raises:
        InputError: it was written before they were kept.
    """
    if not result.replays:
        raise InputError(f"the result '{result.title}' is of a vmmsim that kept no counts: run it again")


def explain(before: Side, after: Side, of: Total = "total") -> Explanation:
    """Explain the difference between two replays.

    Raises:
        RunError: the contributions do not add up, which would be a fault of the program.
    """
    cells = [*_cells(before, after, of), *(_waits(before, after) if of == "total" else ())]
    changed = tuple(differences(before.inputs, after.inputs))
    whole = after.time(of) - before.time(of)
    if len(changed) == 1:
        (one,) = changed
        shares = [ParameterShare(one.name, one.before, one.after, whole)] if whole else []
    else:
        shares = list(_by_parameter(before, after, cells, changed))
    found = Explanation(
        workload=_workload(before, after),
        before=before.label,
        after=after.label,
        of=of,
        seconds_before=before.time(of),
        seconds_after=after.time(of),
        contributions=tuple(sorted((cell for cell in cells if _is_there(cell)), key=_size)),
        parameters=tuple(sorted(shares, key=_size)),
        changed=changed,
        remark=_remark(before, after, of),
        notes=tuple(dict.fromkeys((*before.notes, *after.notes))),
    )
    for parts in (found.contributions, found.parameters):
        if sum(part.seconds for part in parts) != found.difference:
            raise RunError(f"the contributions to '{found.workload}' do not add up to the difference")
    return found


def by_setting(found: Explanation, settings: Sequence[str], time: Callable[[tuple[str, ...]], Fraction]) -> Explanation:
    """Return an explanation whose parameters are the settings that lead from ``before`` to ``after``.

    ``time`` is the total in seconds under some of the settings; it is asked for each of their sets.
    """
    shares = shapley(len(settings), lambda made: time(tuple(settings[each] for each in made)))
    named = [ParameterShare(text, "", "", seconds) for text, seconds in zip(settings, shares, strict=True)]
    if sum(shares) != found.difference:
        raise RunError(f"the shares of the settings of '{found.workload}' do not add up to the difference")
    return replace(found, parameters=tuple(sorted(named, key=_size)), method=SHAPLEY)


def _size(part: Contribution | ParameterShare) -> Fraction:
    return -abs(part.seconds)


def _is_there(cell: Contribution) -> bool:
    return bool(cell.seconds or cell.of_counts)


def _workload(before: Side, after: Side) -> str:
    return " and ".join(dict.fromkeys(each.replayed.workload for each in (before, after)))


def _remark(before: Side, after: Side, of: Total) -> str:
    if of == "busy" or (len(before.replayed.outcome.vcpus) == len(after.replayed.outcome.vcpus) == 1):
        return ""
    first, last = before.last, after.last
    which = f"virtual CPU {first} under both" if first == last else f"virtual CPU {first} before, {last} after"
    return f"explained is the time of the virtual CPU that ends last: {which}; --of busy is about all of them"


def _cells(before: Side, after: Side, of: Total) -> Iterator[Contribution]:
    counts = before.counts(of).actions, after.counts(of).actions
    for kind, action in sorted({**counts[0], **counts[1]}):
        m, n = (taken.get((kind, action), 0) for taken in counts)
        p, q = (each.price(action) for each in (before, after))
        p, q = (p if p is not None else q), (q if q is not None else p)
        assert p is not None and q is not None, "an action that was taken has a price"
        of_counts, of_prices = (n - m) * (p + q) * _HALF, (q - p) * (m + n) * _HALF
        yield Contribution(BY_CODE[kind].name, action, m, n, n * q - m * p, of_counts, of_prices)


def _waits(before: Side, after: Side) -> Iterator[Contribution]:
    first, last = (each.replayed.outcome.vcpus[each.last] for each in (before, after))
    for name in (WAITING, IDLE):
        more = after.seconds(_spent(last, name)) - before.seconds(_spent(first, name))
        yield Contribution("", name, 0, 0, more, more, Fraction(0))


def _spent(cpu: CpuTime, name: str) -> int:
    return cpu.waiting if name == WAITING else cpu.idle


def _by_parameter(
    before: Side, after: Side, cells: Iterable[Contribution], changed: tuple[Difference, ...]
) -> Iterator[ParameterShare]:
    """Attribute the difference: prices to costs and the clock, counts to the rest that differs, together."""
    means: dict[str, Fraction] = {}
    counted, clock = Fraction(0), Fraction(0)
    for cell in cells:
        if not cell.event:
            if cell.seconds:
                yield ParameterShare(f"{cell.action} time", "", "", cell.seconds)
            continue
        counted += cell.of_counts
        if None not in (before.price(cell.action), after.price(cell.action)):
            means[cell.action] = means.get(cell.action, Fraction(0)) + (cell.before + cell.after) * _HALF
    for action, mean in means.items():
        of_cost, of_clock = _price_change(before, after, action)
        clock += of_clock * mean
        if of_cost * mean:
            old, new = (str(each.costs[action]) for each in (before, after))
            yield ParameterShare(f"costs.{action}", old, new, of_cost * mean)
    if clock:
        yield ParameterShare("machine.clock", str(before.replayed.clock), str(after.replayed.clock), clock)
    if counted:
        parts = tuple(sorted({each.part for each in changed if not each.is_price}))
        yield ParameterShare(counts_of(", ".join(parts) or "they hang on time here"), "", "", counted, parts)


def _price_change(before: Side, after: Side, action: str) -> tuple[Fraction, Fraction]:
    """Return how much of a changed price is due to the cost, and to the clock: the mean of both orders of change."""
    costs, clocks = ([each.costs[action] for each in (before, after)], [s.replayed.clock for s in (before, after)])
    price = [[_in_seconds(cost, clock) for clock in clocks] for cost in costs]
    of_cost = (price[1][0] - price[0][0] + price[1][1] - price[0][1]) * _HALF
    of_clock = (price[0][1] - price[0][0] + price[1][1] - price[1][0]) * _HALF
    return of_cost, of_clock


def _in_seconds(cost: Cost, clock: Clock) -> Fraction:
    return Fraction(cost.ticks(clock), clock.ticks_per_second)


def counts_of(parts: str) -> str:
    """Name what the change of counts is due to."""
    return f"counts of actions ({parts})"
