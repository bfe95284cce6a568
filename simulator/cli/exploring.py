"""`vmmsim breakeven` and `vmmsim sensitivity`: what an answer hangs on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from simulator.cli.console import print_view, watched
from simulator.cli.options import NONE_GIVEN, AsJson, ExperimentName, Settings, WorkloadNames, app, exit_codes
from simulator.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.analysis.parameter import Parameter
    from simulator.spec.build import Experiment

Plots = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw plots.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="The folder for plots; default results/NAME-breakeven, or -sensitivity.")
]


class _Between(TyperCommand):
    """Takes ``--between A B`` any number of times: both go to one list."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with the option repeated before the second of its values."""
        flat: list[str] = []
        for i, text in enumerate(args):
            if i >= 2 and args[i - 2] == "--between":
                flat.append("--between")
            flat.append(text)
        return super().parse_args(ctx, flat)


@app.command(cls=_Between)
@exit_codes
def breakeven(
    experiment: ExperimentName,
    *,
    param: Annotated[
        list[str],
        typer.Option(
            "--param",
            metavar="PATH",
            help="What moves: a path as after --set; {a,b} names several. Twice: the frontier of two parameters.",
        ),
    ],
    between: Annotated[
        list[str],
        typer.Option(
            "--between",
            metavar="LOW HIGH",
            help="Its range, with units; in the unit x, such as '0 x' '2 x', costs are scaled. Once for each --param.",
        ),
    ],
    workload: WorkloadNames = NONE_GIVEN,
    models: Annotated[
        tuple[str, str] | None,
        typer.Option("--models", metavar="A B", help="The two models; default those that are not the baseline."),
    ] = None,
    scan: Annotated[
        int, typer.Option("--scan", metavar="N", min=1, help="Into how many parts a range is cut for replays.")
    ] = 16,
    out: Out = None,
    settings: Settings = NONE_GIVEN,
    as_json: AsJson = False,
    plots: Plots = True,
) -> None:
    """Find the value of a parameter at which two models cost the same."""
    from simulator.analysis.breakeven import break_even, pair_of
    from simulator.analysis.evaluate import Evaluator
    from simulator.analysis.frontier import frontier
    from simulator.report.plots import whatif as pictures
    from simulator.report.whatif import break_even_view, frontier_view

    loaded, name = _loaded(experiment, settings)
    if len(param) > 2 or len(between) != 2 * len(param):
        raise InputError(f"expected --between LOW HIGH once for each of one or two --param, found {' '.join(between)}")
    moved = [_parameter(loaded, *each) for each in zip(param, between[::2], between[1::2], strict=True)]
    pair = pair_of(loaded, models)
    views, figures = [], []
    with watched() as progress:
        for label in _chosen("workload", workload, loaded.workloads):
            evaluator = Evaluator(loaded, label, moved, progress)
            if len(moved) == 2:
                plane = frontier(evaluator, pair, scan)
                views.append(frontier_view(plane, loaded))
                figures.append((f"frontier-{label}", lambda plane=plane: pictures.frontier(plane)))
            else:
                found = break_even(evaluator, pair, scan)
                views.append(break_even_view(found, loaded))
                figures.append((f"breakeven-{label}", lambda found=found: pictures.break_even(found)))
    _show(views, as_json)
    if plots:
        _save(figures, out or Path("results") / f"{name}-breakeven", as_json)


@app.command()
@exit_codes
def sensitivity(
    experiment: ExperimentName,
    *,
    workload: WorkloadNames = NONE_GIVEN,
    model: Annotated[
        list[str], typer.Option("--model", metavar="NAME", help="A model; default all. May be given several times.")
    ] = NONE_GIVEN,
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="PATH=LOW..HIGH",
            help="Another uncertain parameter for the Sobol indices, of structure too, which takes replays.",
        ),
    ] = NONE_GIVEN,
    sobol: Annotated[
        int, typer.Option("--sobol", metavar="N", help="Sobol indices from N (D + 2) samples, N a power of two.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The seed of the samples.")] = 1,
    out: Out = None,
    settings: Settings = NONE_GIVEN,
    as_json: AsJson = False,
    plots: Plots = True,
) -> None:
    """Show how each total hangs on each cost, and where its uncertainty comes from."""
    from simulator.analysis import sensitivity as exact
    from simulator.analysis import sobol as sampled
    from simulator.analysis.evaluate import Evaluator
    from simulator.report.plots import whatif as pictures
    from simulator.report.whatif import about_times, sensitivity_view

    loaded, name = _loaded(experiment, settings)
    moved = [_varied(loaded, text) for text in vary]
    if moved and not sobol:
        raise InputError("--vary is for Sobol indices: give their number of samples too, such as --sobol 64")
    rows, figures = [], []
    with watched() as progress:
        for label in _chosen("workload", workload, loaded.workloads):
            evaluator = Evaluator(loaded, label, moved, progress)
            for each in _chosen("model", model, loaded.models):
                found = exact.sensitivity(evaluator, each)
                rows.append((found, sampled.sobol(evaluator, each, sobol, seed) if sobol else None))
                if found.swings and found.total:
                    figures.append((f"tornado-{label}-{each}", lambda found=found: pictures.tornado(found)))
    of_no_machine = about_times(loaded, [found.workload for found, _ in rows])
    print_view(sensitivity_view(rows, [*_what_it_means(rows), *of_no_machine]), as_json)
    if plots:
        _save(figures, out or Path("results") / f"{name}-sensitivity", as_json)


def _loaded(reference: str, settings: Sequence[str]) -> tuple[Experiment, str]:
    from simulator.spec.build import load_experiment
    from simulator.spec.library import find

    path = find(reference, "experiment", Path())
    return load_experiment(path, settings), path.stem


def _parameter(experiment: Experiment, path: str, low: str, high: str) -> Parameter:
    from simulator.analysis.parameter import parameter

    return parameter(experiment, path, (low, high))


def _varied(experiment: Experiment, text: str) -> Parameter:
    path, equals, ends = text.partition("=")
    low, dots, high = ends.partition("..")
    if not equals or not dots:
        raise InputError(f"--vary {text}: expected PATH=LOW..HIGH, as in models.x.mechanisms.vm_exits.vmcb_reads=5..15")
    return _parameter(experiment, path, low.strip(), high.strip())


def _chosen(what: str, names: Sequence[str], known: Iterable[str]) -> list[str]:
    every = list(known)
    for name in names:
        if name not in every:
            near = did_you_mean(name, every)
            raise InputError(f"the experiment has no {what} '{name}'{near}; it has {', '.join(every)}")
    return list(dict.fromkeys(names)) or every


def _show(views: Sequence[Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([view.data for view in views], indent=1))
        return
    for view in views:
        print_view(view, as_json=False)


def _what_it_means(rows: Sequence[tuple[Any, Any]]) -> list[str]:
    notes = []
    if any(found.swings for found, _ in rows):
        notes.append("at low, at high: the total with that cost at its bound, and all else as it is")
    if any(not found.swings for found, _ in rows):
        names = ", ".join(f"{found.workload} under {found.model}" for found, _ in rows if not found.swings)
        notes.append(f"no cost that was used has bounds: {names}")
    return notes


def _save(figures: Sequence[tuple[str, Any]], folder: Path, as_json: bool) -> None:
    from simulator.report.plots import save

    folder.mkdir(parents=True, exist_ok=True)
    for stem, draw in figures:
        figure: Figure = draw()
        png, _ = save(figure, folder / stem.replace("/", "-"))
        if not as_json:
            print(png)
