"""From the frames of a result to the numbers that are drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from simulator.errors import InputError
from simulator.events import ACTIVITY_KINDS, BY_CODE, COMPUTE_KINDS
from simulator.report.plots.style import COMPUTE_STYLES, MODEL_STYLES, OTHER, Style, event_style
from simulator.report.plots.text import wrap
from simulator.report.tables import exact, is_missing, point_of, records

if TYPE_CHECKING:
    import pandas as pd

MAX_KINDS = 10
"""Event kinds beside computation that a plot tells apart; a reader cannot tell more."""
LEAST_SHARE = 0.01
"""An event kind that is less than this of every bar could not be seen, unless `other` would be larger than it."""


_BETWEEN = {BY_CODE[kind].name for kind in ACTIVITY_KINDS - COMPUTE_KINDS}


class NothingToDrawError(InputError):
    """The result holds nothing that this plot could show; the message says what is missing."""


class Case(NamedTuple):
    """What a group of bars belongs to: a workload at a sweep point."""

    workload: str
    point: str

    def label(self, room: float) -> str:
        """Return the name, broken into lines that fit into so many inches."""
        return "\n".join(wrap(text, room) for text in self if text)


Stacks: TypeAlias = dict[Case, dict[str, dict[str, Fraction]]]
"""Seconds by case, model and event kind."""
Bars: TypeAlias = dict[Case, dict[str, float]]
"""A number by case and model."""
Bounds: TypeAlias = dict[Case, dict[str, tuple[float, float]]]
"""A low and a high by case and model."""


@dataclass(frozen=True)
class Inputs:
    """What every plot is drawn from."""

    totals: pd.DataFrame
    breakdown: pd.DataFrame
    comparison: pd.DataFrame
    baseline: str | None
    title: str
    sources: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The kinds of event by the name that references to overhead give them together."""
    uncertainty: pd.DataFrame | None = None

    def bounds(self, low: str, high: str) -> Bounds:
        """Return the two columns of uncertainty.csv by case and model, for the runs that have them."""
        found: Bounds = {}
        for row in () if self.uncertainty is None else records(self.uncertainty):
            ends = getattr(row, low), getattr(row, high)
            if not any(map(is_missing, ends)):
                case = Case(str(row.workload), point_of(row))
                found.setdefault(case, {})[str(row.model)] = (float(ends[0]), float(ends[1]))
        return found

    @cached_property
    def models(self) -> list[str]:
        """The models in their order, the baseline first."""
        names = dict.fromkeys(str(name) for name in self.totals["model"])
        return sorted(names, key=lambda name: name != self.baseline)

    @cached_property
    def mixed(self) -> frozenset[str]:
        """The workloads that compute, or have events of several kinds: their time is no single event's cost.

        What goes on between events (touched pages, pieces of code) makes no difference.
        """
        kinds: dict[str, set[str]] = {}
        for row in records(self.breakdown):
            kinds.setdefault(str(row.workload), set()).update({str(row.event)} - _BETWEEN)
        return frozenset(name for name, events in kinds.items() if len(events) > 1 or events & COMPUTE_STYLES.keys())

    def present(self, runs: Mapping[Case, Mapping[str, object]]) -> list[str]:
        """Return the models that have a run in any case, in their order."""
        return [model for model in self.models if any(model in models for models in runs.values())]

    def styles(self, models: Sequence[str]) -> dict[str, Style]:
        """Return the styles of models: the same in every plot of one report."""
        return {model: MODEL_STYLES[self.models.index(model) % len(MODEL_STYLES)] for model in models}


def busy_seconds(breakdown: pd.DataFrame) -> Stacks:
    """Return the busy time of each run by event kind."""
    stacks: Stacks = {}
    for row in records(breakdown):
        models = stacks.setdefault(Case(str(row.workload), point_of(row)), {})
        events = models.setdefault(str(row.model), {})
        events[str(row.event)] = events.get(str(row.event), Fraction(0)) + exact(row.seconds)
    if not stacks:
        raise NothingToDrawError("the breakdown is empty")
    return stacks


def over_baseline(busy: Stacks, baseline: str | None) -> Stacks:
    """Return seconds beyond those of the baseline, for each case that has one; what is equal is left out."""
    if baseline is None:
        raise NothingToDrawError("no baseline is named")
    overhead = {
        case: {model: _difference(events, models[baseline]) for model, events in models.items() if model != baseline}
        for case, models in busy.items()
        if baseline in models and len(models) > 1
    }
    if not overhead:
        raise NothingToDrawError(f"no workload has both the baseline '{baseline}' and another model")
    return overhead


def _difference(events: dict[str, Fraction], base: dict[str, Fraction]) -> dict[str, Fraction]:
    zero = Fraction(0)
    names = dict.fromkeys([*events, *base])
    return {name: more for name in names if (more := events.get(name, zero) - base.get(name, zero))}


def shown_kinds(stacks: Stacks) -> list[str]:
    """Return the event kinds to draw: computation first, then those that weigh most in any one bar.

    At most ``MAX_KINDS`` stand for themselves: those that can be seen, and as many more as it takes for the rest not
    to weigh more than the least of them. The rest is `other`, unless it is only one. Kinds that meet in a bar have
    different colours where an order has that.
    """
    bars = [events for models in stacks.values() for events in models.values() if any(events.values())]
    weight = {
        name: max(_share(events, [name]) for events in bars)
        for name in dict.fromkeys(name for events in bars for name, seconds in events.items() if seconds)
    }
    compute = [name for name in COMPUTE_STYLES if weight.pop(name, None)]
    ranked = sorted(weight, key=lambda name: -weight[name])
    kept = min(sum(share >= LEAST_SHARE for share in weight.values()), MAX_KINDS)
    while 0 < kept < min(len(ranked), MAX_KINDS) and weight[ranked[kept - 1]] < max(
        _share(events, ranked[kept:]) for events in bars
    ):
        kept += 1
    if kept + 1 == len(ranked):
        kept += 1
    return compute + _parted(ranked[:kept], bars, compute) + [OTHER] * (kept < len(ranked))


def _share(events: Mapping[str, Fraction], names: Iterable[str]) -> Fraction:
    """Return what some kinds together are of a bar."""
    return abs(sum((events.get(name, Fraction(0)) for name in names), Fraction(0))) / sum(map(abs, events.values()))


def _parted(names: Sequence[str], bars: Sequence[Mapping[str, Fraction]], below: Sequence[str]) -> list[str]:
    """Return kinds in an order where those that meet in a bar have different colours, as far as one step looks ahead.

    Each is the first that meets the fewest of its colour; ``below`` are those that bars begin with.
    """
    last: dict[tuple[int, bool], str] = {}

    def places(name: str) -> list[tuple[int, bool]]:
        return [(index, events[name] > 0) for index, events in enumerate(bars) if events.get(name)]

    def put(name: str) -> None:
        last.update(dict.fromkeys(places(name), event_style(name).colour))

    for name in below:
        put(name)
    left, ordered = list(names), []
    while left:
        meets = [sum(last.get(place) == event_style(name).colour for place in places(name)) for name in left]
        ordered.append(left.pop(meets.index(min(meets))))
        put(ordered[-1])
    return ordered


def folded(events: Mapping[str, Fraction], kinds: Sequence[str]) -> dict[str, float]:
    """Return seconds by shown kind, everything not shown under `other`."""
    sums = dict.fromkeys(kinds, Fraction(0))
    for name, seconds in events.items():
        if seconds:
            sums[name if name in sums else OTHER] += seconds
    return {name: float(seconds) for name, seconds in sums.items()}


def relative_totals(totals: pd.DataFrame, baseline: str | None) -> Bars:
    """Return total times over the baseline's."""
    ratios: Bars = {}
    for row in records(totals):
        if str(row.model) != baseline and not is_missing(row.relative_to_baseline):
            case = Case(str(row.workload), point_of(row))
            ratios.setdefault(case, {})[str(row.model)] = float(row.relative_to_baseline)
    if not ratios:
        raise NothingToDrawError("no total is relative to a baseline")
    return ratios


def cycles_per_event(totals: pd.DataFrame, mixed: Iterable[str]) -> Bars:
    """Return busy cycles over events, the quantity that references are compared with, where it is one event's cost.

    ``mixed`` are the workloads where it is not; runs without events have none.
    """
    bars: Bars = {}
    for row in records(totals):
        if row.events and str(row.workload) not in mixed:
            case = Case(str(row.workload), point_of(row))
            bars.setdefault(case, {})[str(row.model)] = float(exact(row.busy_cycles) / int(row.events))
    if not any(value for models in bars.values() for value in models.values()):
        raise NothingToDrawError("no workload has a cost and events of one kind only")
    return bars


def percent_of_baseline(totals: pd.DataFrame, baseline: str | None) -> Bars:
    """Return the baseline's total time in percent of the others'; a run that takes no time has no percentage."""
    bars: Bars = {}
    for row in records(totals):
        ratio = row.relative_to_baseline
        if str(row.model) != baseline and not is_missing(ratio) and exact(ratio):
            case = Case(str(row.workload), point_of(row))
            bars.setdefault(case, {})[str(row.model)] = float(100 / exact(ratio))
    if not bars:
        raise NothingToDrawError("no total is relative to a baseline")
    return bars


def published(comparison: pd.DataFrame, quantity: str, cases: Iterable[Case]) -> Bars:
    """Return the published values of a quantity for those cases that have them."""
    values: dict[str, dict[str, float]] = {}
    for row in records(comparison):
        if row.quantity == quantity and not is_missing(row.published):
            values.setdefault(str(row.workload), {})[str(row.model)] = float(exact(row.published))
    return {case: values[case.workload] for case in cases if case.workload in values}


def published_slowdown(inputs: Inputs, cases: Collection[Case]) -> Bars:
    """Return published total times over the baseline's; published seconds are over its modelled ones."""
    slowdowns = published(inputs.comparison, "relative_to_baseline", cases)
    base = {
        Case(str(row.workload), point_of(row)): float(row.total_seconds)
        for row in records(inputs.totals)
        if str(row.model) == inputs.baseline and row.total_seconds
    }
    for case, models in published(inputs.comparison, "total_seconds", cases).items():
        relative = {model: seconds / base[case] for model, seconds in models.items() if model != inputs.baseline}
        slowdowns[case] = relative | slowdowns.get(case, {})
    return slowdowns


def published_overhead(comparison: pd.DataFrame) -> dict[str, dict[str, dict[str, Fraction]]]:
    """Return published overheads in seconds by workload, model and source."""
    values: dict[str, dict[str, dict[str, Fraction]]] = {}
    for row in records(comparison):
        quantity, of, source = str(row.quantity).partition(" of ")
        if quantity == "overhead_seconds" and of and not is_missing(row.published):
            models = values.setdefault(str(row.workload), {})
            models.setdefault(str(row.model), {})[source] = exact(row.published)
    return values


def by_source(overhead: Mapping[str, Fraction], sources: Mapping[str, Collection[str]]) -> dict[str, Fraction]:
    """Return overhead by source: the events that each takes together; what no source takes is `other`.

    >>> by_source({"port_in": Fraction(2), "halt": Fraction(1)}, {"in/out": ["port_in", "port_out"], "faults": []})
    {'in/out': Fraction(2, 1), 'faults': Fraction(0, 1), 'other': Fraction(1, 1)}
    """
    zero = Fraction(0)
    sums = {name: sum((overhead.get(event, zero) for event in events), zero) for name, events in sources.items()}
    taken = {event for events in sources.values() for event in events}
    rest = sum((seconds for event, seconds in overhead.items() if event not in taken), zero)
    return sums | ({OTHER: sums.get(OTHER, zero) + rest} if rest else {})
