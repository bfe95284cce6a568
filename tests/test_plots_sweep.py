"""The plot of a sweep: each label whole, no two models alike, and a page that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import product

import pytest
from matplotlib.figure import Figure
from plot_texts import assert_apart, texts

from simulator.report.plots import style
from simulator.report.plots.sweep import SweepPlot
from simulator.result import TotalsRow

NINE = [
    "pentium4-672/trap-and-emulate",
    "pentium4-672/software-vmm",
    "pentium4-672/hardware-vmm",
    "lookahead/software-vmm-resync",
    "lookahead/hardware-vmm-resync",
    "lookahead/core2-exits",
    "lookahead/free-exits",
    "lookahead/hybrid-vmm",
    "lookahead/nested-paging",
]
SHORT = [name.rpartition("/")[2] for name in NINE]
TWELVE = [f"compile-{n}files-j{n}" for n in range(12)]
COSTS = ["500 cycles", "1000 cycles", "1500 cycles"]
EXIT, ENTRY = "models.hardware-vmm.costs.vm_exit", "models.hardware-vmm.costs.vm_entry"


def plotted(
    over: Mapping[str, Sequence[str]], models: Sequence[str], workloads: Sequence[str] = ("forkwait",)
) -> tuple[Figure, list[str]]:
    """Draw totals that differ between all runs; return the notes on what is left out, too."""
    points = {
        "; ".join(f"{path}={at}" for path, at in zip(over, each, strict=True)): each for each in product(*over.values())
    }
    runs = product(workloads, models, points)
    one = Decimal(1)
    rows = [
        TotalsRow(workload, model, "p4", point, 1, one, Decimal(number), one, one, one, one)
        for number, (workload, model, point) in enumerate(runs, 10)
    ]
    coordinates = {point: dict(zip(over, each, strict=True)) for point, each in points.items()}
    with style.settings():
        return SweepPlot("A title", rows, coordinates, over, zipped=False).draw()


def drawn(over: Mapping[str, Sequence[str]], models: Sequence[str], workloads: Sequence[str] = ("forkwait",)) -> Figure:
    """Draw totals that differ between all runs."""
    return plotted(over, models, workloads)[0]


def written(page: Figure) -> set[str]:
    """Return what is written on a page, each text in one line."""
    return {text.get_text().replace("-\n", "-").replace("\n", " ") for text in texts(page)}


@pytest.mark.parametrize("models", [["native", "hardware-vmm"], ["native", *SHORT]])
@pytest.mark.parametrize("workloads", [["forkwait"], ["forkwait", "compile", "a-long-name-of-a-workload/j16"]])
def test_nine_models_that_are_values_of_a_sweep_have_whole_names(models: list[str], workloads: list[str]) -> None:
    page = drawn({"models.hardware-vmm": NINE}, models, workloads)
    assert set(SHORT) <= written(page)
    assert page.get_figwidth() == (style.SINGLE_COLUMN if len(workloads) == 1 else style.DOUBLE_COLUMN)
    assert_apart(page)


def test_models_of_one_name_keep_their_folders() -> None:
    page = drawn({"models.x": ["pentium4-672/native", "recording-host/native"]}, ["x"])
    assert {"pentium4-672/native", "recording-host/native"} <= written(page)


@pytest.mark.parametrize(
    "over",
    [
        {"models.hardware-vmm": NINE, EXIT: COSTS},
        {EXIT: COSTS, "models.hardware-vmm": NINE},
        {EXIT: COSTS, ENTRY: ["1 cycles", "30 cycles", "4000 cycles"]},
    ],
)
def test_maps_of_many_models_have_whole_names(over: dict[str, list[str]]) -> None:
    page = drawn(over, SHORT)
    assert_apart(page)
    assert page.get_figheight() <= style.PAGE_HEIGHT
    assert {f"forkwait, {model}" for model in SHORT} <= written(page)
    assert not any("…" in text for text in written(page))
    assert page.get_figwidth() <= style.DOUBLE_COLUMN


def test_twelve_workloads_fit_on_a_page() -> None:
    for over in ({EXIT: COSTS}, {EXIT: COSTS, ENTRY: COSTS}):
        page = drawn(over, ["native", *SHORT] if len(over) == 1 else ["hardware-vmm"], TWELVE)
        assert_apart(page)
        assert page.get_figheight() <= style.PAGE_HEIGHT


@pytest.mark.parametrize(
    ("over", "models", "workloads", "left_out"),
    [
        ({"models.x": NINE}, ["x"], TWELVE, "the plot shows 9 of 12 workloads"),
        ({"models.x": NINE}, ["native", *SHORT], TWELVE, "the plot shows 9 of 12 workloads"),
        (
            {"models.x": NINE, EXIT: COSTS},
            [*SHORT, "native", "x", "y"],
            ["forkwait"],
            "the plot shows 9 of 12 models",
        ),
        (
            {"models.hardware-vmm": NINE, "models.software-vmm": NINE[::-1]},
            SHORT,
            ["forkwait"],
            "the plot shows 6 of 9 models",
        ),
    ],
)
def test_what_a_page_has_no_room_for_is_left_out_and_said(
    over: dict[str, list[str]], models: list[str], workloads: list[str], left_out: str
) -> None:
    page, notes = plotted(over, models, workloads)
    assert_apart(page)
    assert page.get_figheight() <= style.PAGE_HEIGHT
    assert notes == [left_out]
    shown = int(left_out.split()[3])
    titles = workloads if len(workloads) > 1 else [f"forkwait, {model}" for model in models]
    assert set(titles[:shown]) <= written(page)
    assert not set(titles[shown:]) & written(page)
    assert not any("…" in text for text in written(page))


def test_axes_of_lines_keep_their_least_height() -> None:
    names = [f"{'a-long-name-of-a-workload/' * 8}{n}" for n in range(12)]
    page, notes = plotted({EXIT: COSTS}, ["native"], names)
    assert page.get_figheight() <= style.PAGE_HEIGHT
    assert notes == ["the plot shows 9 of 12 workloads"]
    many = drawn({EXIT: COSTS}, [f"a-long-name-of-a-model-of-which-there-are-many-{n}" for n in range(70)])
    for each in (page, many):
        assert min(axes.get_position().height for axes in each.axes) * each.get_figheight() >= 0.9 - 1e-9


def test_no_two_of_many_models_are_drawn_alike() -> None:
    models = [f"model-{n}" for n in range(20)]
    page = drawn({EXIT: COSTS}, models)
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in page.axes[0].lines}
    assert len(looks) == len(models)
