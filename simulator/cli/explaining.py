"""`vmmsim explain`: why one result takes longer than another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import labels, print_view, watched
from simulator.cli.options import NONE_GIVEN, AsJson, Settings, WorkloadNames, app, exit_codes
from simulator.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from fractions import Fraction

    from simulator.analysis.explain import Explanation, Side, Total
    from simulator.result import Replayed, Result

_FORMS = (
    "expected two results (vmmsim explain RESULT RESULT), two models of an experiment or a result (vmmsim explain WHAT "
    "MODEL MODEL), or one model and a setting (vmmsim explain EXPERIMENT MODEL --set PATH=VALUE)"
)
MOST_SETTINGS = 5
"""Settings whose parts are told apart by replays: 2^n of them."""


@app.command()
@exit_codes
def explain(
    first: Annotated[str, typer.Argument(help="An experiment, or the directory of a result.", metavar="WHAT")],
    second: Annotated[
        str, typer.Argument(help="Another result; or a model, as MODEL@'vm_exit=500 cycles' at a point of a sweep.")
    ],
    third: Annotated[str, typer.Argument(help="Another model.")] = "",
    *,
    workloads: WorkloadNames = NONE_GIVEN,
    model: Annotated[str, typer.Option("--model", help="Of two results, one model; default all.")] = "",
    of: Annotated[str, typer.Option("--of", help="total: from start to end; busy: of all virtual CPUs.")] = "total",
    settings: Settings = NONE_GIVEN,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write CSV, JSON and waterfall plots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain the difference between two models, two results, or before and after a setting; it adds up exactly."""
    from simulator.analysis.explain import explain as explained
    from simulator.report import explained as report

    total = _total(of)
    if third or settings:
        if model:
            raise InputError(f"--model is for two results: {_FORMS}")
        pairs = _models(first, second, third, workloads, settings)
    else:
        pairs = _results(first, second, workloads, model)
    found = [explained(before, after, total) for before, after in pairs]
    if 1 < len(settings) <= MOST_SETTINGS and not third:
        found = _by_setting(first, found, pairs, settings)
    if out:
        report.write(found, out)
    print_view(report.view(found), as_json)


def _by_setting(
    what: str, found: Sequence[Explanation], pairs: Sequence[tuple[Side, Side]], settings: Sequence[str]
) -> list[Explanation]:
    """Attribute each difference to the settings that make it, by runs with every set of them."""
    from simulator.analysis.explain import by_setting, side

    results: dict[tuple[str, ...], Result] = {}
    names = [before.replayed.workload for before, _ in pairs]

    def total(explanation: Explanation, replayed: Replayed, some: tuple[str, ...]) -> Fraction:
        if some not in results:
            try:
                _, results[some] = _run(what, [replayed.model], names, [(), some])
            except InputError as error:
                raise InputError(
                    f"settings are told apart by runs with some of them, of which one fails: {error}"
                ) from None
        return side(results[some], explanation.workload, replayed.model).time(explanation.of)

    return [
        by_setting(each, settings, partial(total, each, before.replayed))
        for each, (before, _) in zip(found, pairs, strict=True)
    ]


def _total(text: str) -> Total:
    if text == "total":
        return "total"
    if text == "busy":
        return "busy"
    raise InputError(f"--of: expected total or busy, found '{text}'")


def _results(first: str, second: str, workloads: Sequence[str], model: str) -> list[tuple[Side, Side]]:
    """Return both sides of all that two results have in common."""
    from simulator.analysis.explain import check_has_counts, side
    from simulator.report.reader import load_result

    for path in (first, second):
        if not (Path(path) / "result.json").is_file():
            raise InputError(f"'{path}' is not the directory of a result: {_FORMS}")
    before, after = (load_result(Path(path)) for path in (first, second))
    for result in (before, after):
        check_has_counts(result)
    keys = [{(r.workload, r.model, r.point): None for r in result.replays} for result in (before, after)]
    common = [key for key in keys[0] if key in keys[1]]
    if not common:
        raise InputError(f"{first} and {second} have no workload under a model of the same name in common")
    known = ({w for w, _, _ in common}, {m for _, m, _ in common})
    _check_names(workloads, known[0], "workload")
    _check_names([model] if model else [], known[1], "model")
    wanted = [k for k in common if (not workloads or k[0] in workloads) and model in ("", k[1])]
    here, there = labels([Path(first), Path(second)])
    return [
        (
            side(before, *key, label=f"{_name(key[1], key[2])} in {here}"),
            side(after, *key, label=f"{_name(key[1], key[2])} in {there}"),
        )
        for key in wanted
    ]


def _models(
    what: str, first: str, second: str, workloads: Sequence[str], settings: Sequence[str]
) -> list[tuple[Side, Side]]:
    """Return two models of an experiment or a result, or one before and after settings, for each workload."""
    from simulator.analysis.explain import check_has_counts, side
    from simulator.report.reader import load_result

    (model, _, point), (other, _, other_point) = (name.partition("@") for name in (first, second or first))
    if (Path(what) / "result.json").is_file():
        if settings:
            raise InputError(f"{what}: a result is not run again, so --set has no part in it: name the experiment")
        before = after = load_result(Path(what))
        check_has_counts(before)
    else:
        before, after = _run(what, [model, other], workloads, [settings if second else (), settings])
    names = list(dict.fromkeys(replayed.workload for replayed in before.replays))
    _check_names(workloads, names, "workload")
    changed = f"{first} with {', '.join(settings)}"
    return [
        (
            side(before, name, model, point),
            side(after, name, other, other_point, "" if second else changed),
        )
        for name in names
        if not workloads or name in workloads
    ]


def _run(
    what: str, models: Sequence[str], workloads: Sequence[str], settings: Sequence[Sequence[str]]
) -> tuple[Result, Result]:
    """Run the models and workloads that are asked for, under the first settings and the second."""
    from simulator.run import run_experiment
    from simulator.spec.build import load_experiment
    from simulator.spec.library import find

    path = find(what, "experiment", Path())
    results: list[Result] = []
    with watched() as progress:
        for each in settings[: 1 if settings[0] == settings[1] else 2]:
            loaded = load_experiment(path, each)
            _check_names(models, loaded.models, "model")
            _check_names(workloads, loaded.workloads, "workload")
            part = loaded.only(workloads or loaded.workloads, models)
            results.append(run_experiment(part, progress=progress, earlier=results[0] if results else None))
    return results[0], results[-1]


def _check_names(names: Iterable[str], known: Iterable[str], what: str) -> None:
    has = sorted(known)
    for name in names:
        if name not in has:
            raise InputError(f"no {what} '{name}' there{did_you_mean(name, has)}; there is {', '.join(has)}")


def _name(model: str, point: str) -> str:
    return f"{model} at {point}" if point else model
