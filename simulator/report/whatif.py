"""What `vmmsim breakeven` and `vmmsim sensitivity` print: sentences and tables for people, the same as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from simulator.analysis.breakeven import BreakEven, Crossing
from simulator.analysis.frontier import Frontier
from simulator.analysis.lines import Interval
from simulator.analysis.parameter import FACTOR, Parameter
from simulator.analysis.sensitivity import Sensitivity
from simulator.analysis.sobol import Sobol
from simulator.report.tables import Column, Grid, grid_table, human_count, human_percent, human_seconds
from simulator.report.view import View
from simulator.result import rounded
from simulator.run.provenance import false_times
from simulator.spec.build import Experiment
from simulator.units import cycles
from simulator.workload.untold import times_notes

_SHOWN = 12
_PLACES = 12


def break_even_view(found: BreakEven, experiment: Experiment) -> View:
    """Show where two models cost the same, or why nowhere."""
    notes = about_times(experiment, [found.workload])
    return View((*_sentences(found, experiment), *_told(notes)), {**_break_even_data(found), "notes": notes})


def about_times(experiment: Experiment, workloads: Sequence[str]) -> list[str]:
    """Return a note for those of the workloads whose times are those of no machine."""
    return list(times_notes({name: whose for name, whose in false_times(experiment).items() if name in workloads}))


def _told(notes: Sequence[str]) -> Iterator[str]:
    return (f"note: {note}" for note in notes)


def _sentences(found: BreakEven, experiment: Experiment) -> Iterator[str]:
    moved, (first, second) = found.parameter, found.models
    ends = f"{moved.text(moved.low)} to {moved.text(moved.high)}"
    yield f"{found.workload}: {first} and {second} over {moved.path}, {ends}"
    for crossing in found.crossings:
        yield _crossing(found, crossing)
        if moved.unit == FACTOR:
            yield f"  there {', '.join(_costs(moved, experiment, crossing.value))}"
    if not found.crossings:
        yield f"  no break-even in this range: {_ends(found)}"
        yield from _proof(found)
    yield from _possible(found)
    if found.why_replayed:
        yield (
            f"  by {_made(found)}, as {found.why_replayed}; crossings that come in twos between two of the values "
            "tried are not seen"
        )


def _made(found: BreakEven | Frontier) -> str:
    along = f" and {found.retimed:,} times along waits, which are those of replays" if found.retimed else ""
    return f"{found.replays:,} replays{along}"


def _crossing(found: BreakEven, crossing: Crossing) -> str:
    moved = found.parameter
    if not found.why_replayed and crossing.low != crossing.high:
        return f"  equal throughout from {moved.text(crossing.low)} to {moved.text(crossing.high)}"
    exactly = "" if found.why_replayed else ", solved exactly"
    place = f"  break-even at {moved.text(crossing.value)}{exactly}"
    gap = crossing.gap_seconds
    if not gap:
        return f"{place}; a replay there takes the same time under both"
    bracket = ""
    if found.why_replayed and crossing.low != crossing.high:
        bracket = f", between {moved.text(crossing.low)} and {moved.text(crossing.high)}"
    longer = found.models[0] if gap > 0 else found.models[1]
    return f"{place}{bracket}; a replay there takes {human_seconds(abs(gap))} longer under {longer}"


def _costs(moved: Parameter, experiment: Experiment, value: Fraction) -> Iterator[str]:
    for model in experiment.models.values():
        for action in sorted(moved.actions(model.name)):
            yield f"{action} is {cycles(round(value * moved.ticks_per_unit(model, action)))} cycles"


def _ends(found: BreakEven) -> str:
    texts = []
    for end, value in ((0, found.parameter.low), (-1, found.parameter.high)):
        gap = found.difference(end)
        longer = found.models[0] if gap > 0 else found.models[1]
        texts.append(f"at {found.parameter.text(value)} {longer} takes {human_seconds(abs(gap))} longer")
    return ", ".join(texts)


def _proof(found: BreakEven) -> Iterator[str]:
    """Say why there is no break-even, where that is certain."""
    moved = found.parameter
    if found.why_replayed:
        return
    if found.slope is None:
        yield "  certain: each time is the longest of straight lines, and their difference has its sign at every corner"
    elif not found.slope:
        yield "  certain: the difference does not change with it"
    else:
        meet = moved.low - found.difference(0) / found.slope
        beyond = " (a cost below zero)" if meet < 0 else ""
        unit = {"cycles": "cycle"}.get(moved.unit, f"1 {moved.unit}")
        yield (
            f"  certain: the difference is a straight line, {human_seconds(abs(found.slope))} for each {unit}, and "
            f"would be zero at {moved.text(meet)}{beyond}"
        )


def _possible(found: BreakEven) -> Iterator[str]:
    if found.possible is None:
        return
    moved = found.parameter
    if found.possible:
        spans = " and ".join(_span(moved, interval) for interval in found.possible)
        yield f"  with every other cost anywhere between its low and its high, break-even can be {spans}"
    else:
        yield "  and there is none whatever the other costs are between their low and their high"


def _span(moved: Parameter, interval: Interval) -> str:
    """Return an interval in words; an end of the range is no end of what is possible.

    A range from 0 to 5 that holds an interval from 2 to 5 is left open above.
    """
    low, high = interval
    if low <= moved.low and high >= moved.high:
        return "anywhere in the range"
    if high >= moved.high:
        return f"from {moved.text(low)} on"
    return f"up to {moved.text(high)}" if low <= moved.low else f"from {moved.text(low)} to {moved.text(high)}"


def _break_even_data(found: BreakEven) -> dict[str, Any]:
    moved = found.parameter
    return {
        "workload": found.workload,
        "models": list(found.models),
        "parameter": _parameter_data(moved),
        "exact": not found.why_replayed,
        "why_replayed": found.why_replayed,
        "replays": found.replays,
        "retimed": found.retimed,
        "break_even": [
            {
                "value": moved.text(crossing.value),
                "from": str(crossing.low),
                "to": str(crossing.high),
                "gap_seconds": _number(crossing.gap_seconds),
            }
            for crossing in found.crossings
        ],
        "possible": None if found.possible is None else [[moved.text(a), moved.text(b)] for a, b in found.possible],
        "slope_seconds": None if found.slope is None else str(found.slope),
        "curve": [
            {"value": moved.text(point.value), "seconds": list(map(_number, point.seconds))} for point in found.curve
        ],
    }


def _parameter_data(moved: Parameter) -> dict[str, str]:
    return {"path": moved.path, "low": moved.text(moved.low), "high": moved.text(moved.high), "unit": moved.unit}


def _number(value: Fraction) -> str:
    return str(rounded(value, _PLACES))


def frontier_view(found: Frontier, experiment: Experiment) -> View:
    """Show where in the plane of two parameters two models cost the same."""
    first, second = found.parameters
    columns = Column(first.path, numeric=True), Column(second.path, numeric=True)
    rows = [(first.text(x), second.text(y)) for x, y in found.crossings]
    head = f"{found.workload}: where {found.models[0]} and {found.models[1]} take the same time"
    if not rows:
        ratios = [ratio for row in found.ratios for ratio in row]
        least, most = (f"{float(ratio):.3g}" for ratio in (min(ratios), max(ratios)))
        parts: tuple[Any, ...] = (
            f"{head}: nowhere on the grid; {found.models[0]} takes {least} to {most} times as long",
        )
    else:
        parts = (grid_table(head, Grid(columns, rows)),)
    if found.why_replayed:
        parts += (f"by {_made(found)}, on the lines of a grid and straight between, as {found.why_replayed}",)
    notes = about_times(experiment, [found.workload])
    data = {
        "workload": found.workload,
        "models": list(found.models),
        "parameters": [_parameter_data(moved) for moved in found.parameters],
        "exact": not found.why_replayed,
        "why_replayed": found.why_replayed,
        "replays": found.replays,
        "retimed": found.retimed,
        "frontier": [list(row) for row in rows],
        "ratios": [[_number(ratio) for ratio in row] for row in found.ratios],
        "notes": notes,
    }
    return View((*parts, *_told(notes)), data)


def sensitivity_view(found: Sequence[tuple[Sensitivity, Sobol | None]], notes: Sequence[str]) -> View:
    """Show how totals hang on costs, and where their uncertainty comes from."""
    parts: list[Any] = []
    for each, indices in found:
        parts += [_derivatives(each), *_uncertainty(each), *([] if indices is None else [_indices(indices)])]
    data = [{**_sensitivity_data(each), "sobol": _sobol_data(indices)} for each, indices in found]
    return View((*parts, *notes), {"sensitivity": data, "notes": list(notes)})


def _derivatives(found: Sensitivity) -> Any:
    swings = {swing.action: swing for swing in found.swings}
    rows = []
    for each in found.derivatives[:_SHOWN]:
        swing = swings.get(each.action)
        ends = [_change(found, value) for value in (swing.low, swing.high)] if swing else ["", ""]
        rows.append((each.action, human_count(each.count), human_percent(100 * each.elasticity).lstrip("+"), *ends))
    title = f"{found.workload} under {found.model}: {human_seconds(found.total)}"
    of = "total" if found.of == "total" else "busy time"
    columns = [Column("cost of"), *(Column(name, numeric=True) for name in (f"d {of}/d cost", "elasticity"))]
    columns += [Column("total at low", numeric=True), Column("at high", numeric=True)]
    table = grid_table(title, Grid(columns, rows))
    more = len(found.derivatives) - len(rows)
    below = [f"{more} costs with less are left out"] if more else []
    if found.why_busy:
        below.append(f"derivatives are of the busy time, as {found.why_busy}")
    table.caption = "\n".join(below) or None
    table.caption_justify = "left"
    return table


def _change(found: Sensitivity, value: Fraction) -> str:
    return human_percent(100 * (value / found.total - 1)) if found.total else ""


def _uncertainty(found: Sensitivity) -> Iterator[str]:
    if found.corner is None or found.corner.low == found.corner.high:
        return
    low, _, high = found.corner
    text = f"total with all costs at their low: {human_seconds(low)}, at their high: {human_seconds(high)}"
    if found.variance:
        deviation = Fraction(float(found.variance) ** 0.5)
        text += f"; standard deviation if they are independent and uniform: {human_seconds(deviation)}"
    yield text


def _indices(found: Sobol) -> Any:
    columns = Column("parameter"), Column("alone", numeric=True), Column("with others", numeric=True)
    rows = [
        (index.name, _confident(index.first, index.first_confidence), _confident(index.whole, index.whole_confidence))
        for index in found.indices[:_SHOWN]
    ]
    table = grid_table(f"{found.workload} under {found.model}: Sobol indices", Grid(columns, rows))
    mean, deviation = human_seconds(Fraction(found.mean)), human_seconds(Fraction(found.deviation))
    how = f"{found.samples} samples, {found.replays} replays"
    table.caption = f"total {mean}, standard deviation {deviation}; {how}; ± is a 95 % confidence interval"
    table.caption_justify = "left"
    return table


def _confident(value: float, confidence: float) -> str:
    return f"{value:.3f} ± {confidence:.3f}"


def _sensitivity_data(found: Sensitivity) -> dict[str, Any]:
    return {
        "workload": found.workload,
        "model": found.model,
        "of": found.of,
        "why_busy": found.why_busy,
        "total_seconds": _number(found.total),
        "derivatives": [
            {"action": each.action, "cycles_per_cycle": each.count, "elasticity": _number(each.elasticity)}
            for each in found.derivatives
        ],
        "swings": [
            {"action": each.action, "low_seconds": _number(each.low), "high_seconds": _number(each.high)}
            for each in found.swings
        ],
        "all_low_seconds": None if found.corner is None else _number(found.corner.low),
        "all_high_seconds": None if found.corner is None else _number(found.corner.high),
        "standard_deviation_seconds": None if found.variance is None else float(found.variance) ** 0.5,
    }


def _sobol_data(found: Sobol | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "samples": found.samples,
        "replays": found.replays,
        "seed": found.seed,
        "mean_seconds": found.mean,
        "standard_deviation_seconds": found.deviation,
        "indices": [
            {
                "parameter": index.name,
                "first": index.first,
                "first_confidence": index.first_confidence,
                "total": index.whole,
                "total_confidence": index.whole_confidence,
            }
            for index in found.indices
        ],
    }
