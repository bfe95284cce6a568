"""Explanations for people and programs: a sentence, tables, CSV, and what the waterfall shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.analysis.explain import Contribution, Explanation, ParameterShare, counts_of
from simulator.errors import InputError
from simulator.report.tables import Column, Grid, grid_table, human_count, human_seconds
from simulator.report.view import View
from simulator.report.writer import check_directory, whole_directory, write_csv
from simulator.result import rounded

MOST_ROWS = 12
"""Rows of a table, and steps of a waterfall, that stand for themselves; the rest is one."""
EXPLANATION_FILE = "explanation.json"
_MOST_PARTS = 3

_EVENTS = {
    "user_compute": "user computation",
    "kernel_compute": "kernel computation",
    "syscall": "system calls",
    "port_in": "port reads",
    "port_out": "port writes",
    "cr8_write": "writes to %cr8",
    "page_fault": "page faults",
    "pte_modify": "page-table writes (pte_modify)",
    "pte_clear": "page-table writes (pte_clear)",
    "pte_set": "page-table writes (pte_set)",
    "space_switch": "address-space switches",
    "tlb_flush_page": "page flushes",
    "tlb_flush_all": "TLB flushes",
    "touch": "touched pages",
    "kernel_code": "kernel code",
    "new_code": "new kernel code",
    "space_destroy": "address spaces torn down",
    "tlb_miss": "TLB misses",
}
_ACTIONS = {"vm_exit": "VM exits", "vm_entry": "VM entries", "vmcb_read": "VMCB reads", "vmcb_write": "VMCB writes"}
_WAITS = {"waiting": "waiting for a device or a physical CPU", "idle": "idle time"}
_EXTRA = {"total": "", "busy": " of busy time"}


def sentence(found: Explanation) -> str:
    """Say what the difference is, and its three largest parts."""
    took = f"({human_seconds(found.seconds_after)} against {human_seconds(found.seconds_before)})"
    if not found.contributions:
        return _same_for_each_action(found, took)
    amount = human_seconds(abs(found.difference))
    how = f"{amount}{_EXTRA[found.of]} {'longer' if found.difference > 0 else 'less'} than {found.before}"
    if not found.difference:
        how = f"as long as {found.before}"
    largest = [f"{signed(part.seconds)} {in_words(part)}" for part in found.contributions[:3]]
    rest = found.contributions[3:]
    more = f"; {signed(_sum(rest))} all else" if rest else ""
    return f"{found.workload}: {found.after} takes {how} {took}: {', '.join(largest)}{more}."


def _same_for_each_action(found: Explanation, took: str) -> str:
    acting = [share for share in found.parameters if share.seconds]
    if not acting:
        return f"{found.workload}: {found.after} and {found.before} take the same {took}, action by action."
    named = [f"{signed(share.seconds)} {_step(share)}" for share in acting[:3]]
    more = f"; {signed(_sum(acting[3:]))} all else" if acting[3:] else ""
    return (
        f"{found.workload}: {found.after} takes as long as {found.before} {took}, action by action, though not for the "
        f"same reasons: {', '.join(named)}{more}."
    )


def in_words(part: Contribution) -> str:
    """Say what a contribution is.

    >>> in_words(Contribution("pte_set", "vm_exit", 0, 1, Fraction(1), Fraction(1), Fraction(0)))
    'VM exits in page-table writes (pte_set)'
    """
    if not part.event:
        return _WAITS[part.action]
    event = _EVENTS.get(part.event, part.event.replace("_", " "))
    if part.action in ("compute", part.event):
        return event
    return f"{_ACTIONS.get(part.action, part.action.replace('_', ' '))} in {event}"


def signed(seconds: Fraction) -> str:
    """Return a difference with its sign.

    >>> signed(Fraction(1, 2)), signed(Fraction(-1, 2)), signed(Fraction(0))
    ('+500 ms', '-500 ms', '0 s')
    """
    return "+" * (seconds > 0) + human_seconds(seconds)


def steps(found: Explanation, by_parameter: bool = False) -> list[tuple[str, Fraction]]:
    """Return the steps of the waterfall with their names, the largest first, the rest as one."""
    named = [(_step(part), part.seconds) for part in (found.parameters if by_parameter else found.contributions)]
    if len(named) <= MOST_ROWS + 1:
        return named
    rest = named[MOST_ROWS:]
    return [*named[:MOST_ROWS], (f"{len(rest)} more together", sum((seconds for _, seconds in rest), Fraction(0)))]


def _step(part: Contribution | ParameterShare) -> str:
    if isinstance(part, ParameterShare):
        return re.sub(r"^models\.[^.=]+\.(costs\.)?", "", brief(part))  # short: the model stands beside its total
    return f"{part.event}: {part.action}" if part.event else part.action


def brief(share: ParameterShare) -> str:
    """Name a parameter, with three at most of the parts that counts hang on."""
    if len(share.parts) <= _MOST_PARTS:
        return share.parameter
    return counts_of(f"{', '.join(share.parts[:_MOST_PARTS])} and {len(share.parts) - _MOST_PARTS} more")


def view(found: Sequence[Explanation]) -> View:
    """Show explanations, and the same as data."""
    parts: list[str | Table] = []
    for each in found:
        parts.append(sentence(each))
        if each.contributions:
            parts.append(grid_table(f"{each.workload}: {each.before} -> {each.after}", _contributions(each)))
        if _differs(each):
            parts.append(grid_table(f"by parameter: {each.method}", _parameters(each)))
        if each.remark:
            parts.append(f"note: {each.remark}")
    parts += dict.fromkeys(f"note: {note}" for each in found for note in each.notes)
    return View(tuple(parts), [document(each) for each in found])


def _differs(found: Explanation) -> bool:
    return bool(found.contributions) or any(share.seconds for share in found.parameters)


def _contributions(found: Explanation) -> Grid:
    columns = [Column("event"), Column("action")]
    columns += [Column(name, numeric=True) for name in ("before", "after", "difference", "by counts", "by prices")]
    shown = found.contributions if len(found.contributions) <= MOST_ROWS + 1 else found.contributions[:MOST_ROWS]
    rows = [(part.event, part.action, *_counts(part), *_split([part])) for part in shown]
    if rest := found.contributions[len(shown) :]:
        rows.append((f"{len(rest)} more", "", "", "", *_split(rest)))
    rows.append(("difference", "", "", "", *_split(found.contributions)))
    return Grid(columns, rows)


def _counts(part: Contribution) -> tuple[str, str]:
    return (human_count(part.before), human_count(part.after)) if part.event else ("", "")


def _split(parts: Sequence[Contribution]) -> tuple[str, str, str]:
    counts, prices = (sum((getattr(p, name) for p in parts), Fraction(0)) for name in ("of_counts", "of_prices"))
    return signed(_sum(parts)), signed(counts), signed(prices)


def _sum(parts: Iterable[Contribution | ParameterShare]) -> Fraction:
    return sum((part.seconds for part in parts), Fraction(0))


def _parameters(found: Explanation) -> Grid:
    columns = (Column("parameter"), Column("before"), Column("after"), Column("difference", numeric=True))
    return Grid(columns, [(brief(p), p.before, p.after, signed(p.seconds)) for p in found.parameters])


def document(found: Explanation) -> dict[str, Any]:
    """Return an explanation for JSON: seconds as exact fractions, and rounded to the picosecond."""
    return {
        "workload": found.workload,
        "before": found.before,
        "after": found.after,
        "of": found.of,
        "seconds_before": str(_seconds(found.seconds_before)),
        "seconds_after": str(_seconds(found.seconds_after)),
        **_both(found.difference),
        "sentence": sentence(found),
        "remark": found.remark,
        "notes": list(found.notes),
        "method": found.method,
        "contributions": [
            {"event": p.event, "action": p.action, "actions_before": p.before, "actions_after": p.after}
            | _both(p.seconds)
            | {"of_counts": str(_seconds(p.of_counts)), "of_prices": str(_seconds(p.of_prices))}
            for p in found.contributions
        ],
        "parameters": [
            {"parameter": p.parameter, "before": p.before, "after": p.after} | _both(p.seconds)
            for p in found.parameters
        ],
        "changed": [{"path": c.name, "before": c.before, "after": c.after} for c in found.changed],
    }


def _both(seconds: Fraction) -> dict[str, str]:
    return {"seconds": str(_seconds(seconds)), "exact_seconds": str(seconds)}


def _seconds(value: Fraction) -> Decimal:
    return rounded(value, 12)


def write(found: Sequence[Explanation], directory: Path) -> list[str]:
    """Write explanation.json, two CSV files, and the waterfalls; return the names of what was written.

    Raises:
        InputError: the directory exists and is something else than an earlier explanation.
    """
    from simulator.report.plots import save
    from simulator.report.plots.waterfall import waterfall

    with whole_directory(directory, _check) as folder:
        (folder / EXPLANATION_FILE).write_text(json.dumps([document(e) for e in found], indent=1) + "\n", "utf-8")
        header = ["workload", "before", "after", "event", "action", "actions_before", "actions_after"]
        write_csv(folder / "contributions.csv", [*header, *_AMOUNTS], _contribution_rows(found))
        header = ["workload", "before", "after", "parameter", "value_before", "value_after", "difference_seconds"]
        write_csv(folder / "parameters.csv", header, _parameter_rows(found))
        differing = [each for each in found if _differs(each)]
        for number, each in enumerate(differing, 1):
            suffix = f"-{number}" if len(differing) > 1 else ""
            ends = ((each.before, each.seconds_before), (each.after, each.seconds_after))
            drawn = {"waterfall": bool(each.contributions), "waterfall-by-parameter": len(each.parameters) > 1}
            for stem in (stem for stem, is_drawn in drawn.items() if is_drawn):
                by_parameter = stem != "waterfall"
                title = f"{each.workload}: {each.of} time"
                save(waterfall(title, ends, steps(each, by_parameter), each.of), folder / f"{stem}{suffix}")
    return sorted(path.name for path in directory.iterdir())


_AMOUNTS = ("difference_seconds", "of_counts_seconds", "of_prices_seconds")


def _contribution_rows(found: Sequence[Explanation]) -> Iterator[tuple[Any, ...]]:
    for each in found:
        for p in each.contributions:
            amounts = (_seconds(value) for value in (p.seconds, p.of_counts, p.of_prices))
            yield (each.workload, each.before, each.after, p.event, p.action, p.before, p.after, *amounts)


def _parameter_rows(found: Sequence[Explanation]) -> Iterator[tuple[Any, ...]]:
    for each in found:
        for p in each.parameters:
            yield each.workload, each.before, each.after, p.parameter, p.before, p.after, _seconds(p.seconds)


def _check(directory: Path) -> None:
    check_directory(directory)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / EXPLANATION_FILE).is_file():
        raise InputError(f"{directory}: exists and holds no {EXPLANATION_FILE}: choose another --out, or remove it")
