"""`simulator.run`, as notebooks meet it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import EXPERIMENT, MODEL, WORKLOAD
from matplotlib.figure import Figure

import simulator
from simulator.errors import InputError
from simulator.notebook import Results


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Results:
    path = tmp_path_factory.mktemp("notebook")
    for name, text in (("m", MODEL), ("n", MODEL.replace("10 cycles", "14 cycles")), ("w", WORKLOAD)):
        (path / f"{name}.yaml").write_text(text)
    (path / "e.yaml").write_text(EXPERIMENT.replace("[m.yaml]", "[m.yaml, n.yaml]").replace("small", "<small> & $1"))
    found: Results = simulator.run(path / "e.yaml")
    return found


def test_importing_the_package_is_cheap_and_run_is_a_function_whatever_was_imported() -> None:
    code = (
        "import sys, simulator; assert not {'numpy', 'pandas', 'simulator.run'} & set(sys.modules); "
        "from simulator.run import run_experiment; import simulator.run; from simulator import run; "
        "assert run is simulator.run is sys.modules['simulator.notebook'].run, run; "
        "assert sys.modules['simulator.run'].run_experiment is run_experiment; "
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_frames_are_numbers_with_units_in_the_names(result: Results) -> None:
    totals = result.frames.totals
    assert totals.total_seconds.tolist() == [21e-6, 29e-6]
    assert totals.busy_seconds.tolist() == totals.total_seconds.tolist()
    assert totals.relative_to_baseline.tolist() == pytest.approx([1, 29 / 21])
    assert {totals[name].dtype for name in map(str, totals) if name.endswith(("_cycles", "_seconds"))} == {
        np.dtype(float)
    }
    breakdown = result.frames.breakdown
    assert breakdown.groupby("model")["cycles"].sum().tolist() == totals.busy_cycles.tolist()
    counts = result.frames.counts
    assert counts[counts.action == "syscall"].actions.tolist() == [2000, 2000]
    assert (counts.actions * counts.cycles_per_action).sum() == totals.busy_cycles.sum()
    assert result.frames.comparison.empty


def test_a_changed_price_is_priced_again_and_changes_add_up(result: Results) -> None:
    cheap = result.change(["models.n.costs.syscall=10 cycles"])
    assert cheap.exact.metadata["earlier"]["repriced"] == 1
    dear = cheap.change({"models.m.costs.syscall": "14 cycles"})
    assert dear.frames.totals.total_seconds.tolist() == [29e-6, 21e-6]
    assert dear.settings == ("models.n.costs.syscall=10 cycles", "models.m.costs.syscall=14 cycles")
    why = result.explain("w", "n", "n", other=cheap)
    assert [(p.parameter, float(p.seconds)) for p in why.parameters] == [("costs.syscall", -8e-6)]


def test_plots_are_figures_that_a_notebook_can_show(result: Results) -> None:
    plot = result.plot
    figures = [plot.slowdown(), plot.time_by_event(), plot.overhead_by_event(), plot.performance()]
    figures.append(plot.waterfall(result.explain("w", "m", "n")))
    for figure in figures:
        assert isinstance(figure, Figure)
        assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="the plot 'slowdown' has 1 pages, found page=2"):
        plot.slowdown(page=2)


def test_a_result_shows_itself_with_names_escaped(result: Results) -> None:
    page = result._repr_html_()
    assert "<b>&lt;small&gt; &amp; $1</b>" in page
    assert page.count("<tr>") == 3


def test_it_writes_what_the_command_writes(result: Results, tmp_path: Path) -> None:
    result.write(tmp_path / "out", plots=False)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"blame.csv", "breakdown.csv", "result.json", "totals.csv"}


def test_wrong_input_is_named() -> None:
    with pytest.raises(InputError, match="no engine 'fats' \\(did you mean 'fast'\\?\\)"):
        simulator.run("quickstart", engine="fats")
    with pytest.raises(InputError, match="did you mean 'quickstart'"):
        simulator.run("quickstat")
    with pytest.raises(InputError, match="expected a list or a mapping"):
        simulator.run("quickstart", settings="seed=1")
