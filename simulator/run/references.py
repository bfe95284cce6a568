"""The figures of references beside those of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from fractions import Fraction

from simulator.errors import InputError
from simulator.events import BY_NAME
from simulator.result import ComparisonRow, cycles_per_event, in_words, rounded
from simulator.run.pricing import Run
from simulator.spec.experiment import TO_BASELINE, ReferenceSpec
from simulator.spec.overrides import SECTIONS
from simulator.spec.settings import Override
from simulator.units import TICKS_PER_CYCLE

_CHANGED = "changed"
_NOT_READ = frozenset({"description", "source", "status", "low", "high", "provenance"})
"""Keys of workloads and models that no replay reads."""


def changed_by(overrides: Iterable[Override]) -> frozenset[tuple[str, str]]:
    """Return section and label of each workload and model in which an override changed what a replay reads."""
    paths = (path for override in overrides for path in override.paths if path[0] in SECTIONS and len(path) > 1)
    return frozenset((str(path[0]), str(path[1])) for path in paths if not {path[-1], *path[2:3]} & _NOT_READ)


def compare(
    reference: ReferenceSpec,
    runs: Mapping[tuple[str, str], Run],
    baseline: str | None,
    changed: Set[tuple[str, str]] = frozenset(),
) -> Iterator[ComparisonRow]:
    """Set the figures of a reference beside those of the runs, which are found by workload and model.

    The status of a figure says so where the workload, the model or the baseline it is relative to is among ``changed``
    (``changed_by``): what a document says of its figures is said of the document as it stands.

    Raises:
        InputError: a run has nothing that the quantity could be computed from.
    """
    for workload, values in reference.values.items():
        for model, (published, _) in values.items():
            read = {("workloads", workload), ("models", model)}
            read |= {("models", baseline or "")} if reference.quantity in TO_BASELINE else set()
            run = runs[workload, model]
            modelled = _quantity(reference, run, runs.get((workload, baseline or "")))
            error = rounded(100 * (modelled / Fraction(published) - 1), 4) if published else None
            yield ComparisonRow(
                workload,
                model,
                reference.name,
                published,
                rounded(modelled, 12 if reference.quantity == "overhead_seconds" else 9),
                error,
                f"{reference.status}, {_CHANGED}" if read & changed else reference.status,
                reference.source,
            )


def _quantity(reference: ReferenceSpec, run: Run, baseline: Run | None) -> Fraction:
    match reference.quantity:
        case "cycles_per_event":
            if not run.events:
                raise InputError(f"workload '{run.workload.name}' has no events, so it has no cycles per event")
            return cycles_per_event(run.outcome.busy, run.events)
        case "total_cycles":
            return Fraction(run.outcome.makespan, TICKS_PER_CYCLE)
        case "total_seconds":
            return run.seconds
        case "relative_to_baseline":
            return _slowdown(run, baseline)
        case "percent_of_baseline":
            slowdown = _slowdown(run, baseline)
            if not slowdown:
                name, model = run.workload.name, run.model.name
                raise InputError(
                    f"workload '{name}' takes no time under '{model}', so its performance has no percentage"
                )
            return 100 / slowdown
        case "overhead_seconds":
            assert baseline is not None, "an experiment without a baseline is refused"
            return run.busy_seconds(reference.kinds) - baseline.busy_seconds(reference.kinds)


def _slowdown(run: Run, baseline: Run | None) -> Fraction:
    """Return the time of a run over that of the baseline.

    Raises:
        InputError: the baseline takes no time.
    """
    if baseline is None or not baseline.outcome.makespan:
        raise InputError(
            f"workload '{run.workload.name}' takes no time under the baseline, so nothing is relative to it"
        )
    return run.seconds / baseline.seconds


def remark(reference: ReferenceSpec) -> str:
    """Return the note of a reference with what it is about, empty if it has none."""
    if not reference.note:
        return ""
    workloads = list(reference.values)
    rest = f" and {len(workloads) - 3} more" if len(workloads) > 3 else ""
    return f"{', '.join(workloads[:3])}{rest}, {in_words(reference.name)}: {reference.note}"


def without_events(references: Sequence[ReferenceSpec], runs: Sequence[Run]) -> Iterator[str]:
    """Name each reference to the overhead of events of which a workload has none: its zero says nothing."""
    for reference in references:
        codes = {BY_NAME[name].code for name in reference.kinds}
        for workload in reference.values if codes else ():
            served = {code for run in runs if run.workload.name == workload for code in run.outcome.counts.events}
            if not codes & served:
                yield f"{reference.name}: the workload '{workload}' has no such event"
