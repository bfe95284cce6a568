"""Plots: fit for print, the same bytes every time, and they show what they say."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from plot_texts import assert_apart, texts
from report_frames import MHZ, NANOBENCHMARKS, NATIVE_SOFTWARE_HARDWARE, Frames, Row, many, nanobenchmarks

from simulator.analysis.sensitivity import Sensitivity, Swing
from simulator.errors import InputError
from simulator.events import KINDS
from simulator.report import plots
from simulator.report.plots import data, figure, style, timeline, whatif

MIXED = Frames(
    [
        *[("compile", model, "", "user_compute", 9000) for model in NATIVE_SOFTWARE_HARDWARE],
        ("compile", "native", "", "syscall", 242),
        ("compile", "software-vmm", "", "syscall", 2308),
        ("compile", "hardware-vmm", "", "syscall", 246),
        *[("boot", model, "", event, 10) for model in ("native", "software-vmm") for event in ("port_in", "halt")],
        ("port-in", "native", "", "port_in", 3209),
        ("port-in", "software-vmm", "", "port_in", 216),
    ]
)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    """Every plot of the nanobenchmarks, drawn once: a test may look, not touch."""
    frames = nanobenchmarks()
    return {stem: page for name in plots.PLOTS for stem, page in frames.draw(name)}


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw few pixels, where only files matter."""
    monkeypatch.setattr(figure, "DPI", 50)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("time-by-event", "busy time (ms)"),
        ("overhead-by-event", "busy time over native (ms)"),
        ("overhead-by-source", "busy time over native (ms)"),
        ("slowdown", "total time over native (×, log scale)"),
        ("performance", "performance (% of native)"),
        ("cost-per-event", "busy cycles per event (log scale)"),
    ],
)
def test_axes_are_labelled_with_units(drawn: dict[str, Figure], name: str, unit: str) -> None:
    assert unit in {label for axes in drawn[name].axes for label in (axes.get_xlabel(), axes.get_ylabel())}


@pytest.mark.parametrize("name", plots.PLOTS)
def test_no_text_overlaps_another(drawn: dict[str, Figure], name: str) -> None:
    assert_apart(drawn[name])


@pytest.mark.usefixtures("coarse")
def test_saving_is_byte_identical_whatever_the_settings_of_the_user(tmp_path: Path) -> None:
    costs = zip(NATIVE_SOFTWARE_HARDWARE, NANOBENCHMARKS["in"][1:], strict=True)
    frames = Frames([("in", model, "", "port_in", cost) for model, cost in costs])
    names = ["overhead-by-event", "overhead-by-source", "performance", "cost-per-event"]
    plain = frames.bundle(names, _directory(tmp_path / "plain")).paths
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "svg.hashsalt": "x"}):
        own = frames.bundle(names, _directory(tmp_path / "own")).paths
        assert matplotlib.rcParams["font.size"] == 20
    assert [path.name for path in plain] == [name + suffix for name in names for suffix in (".png", ".svg")]
    assert [path.read_bytes() for path in plain] == [path.read_bytes() for path in own]


@pytest.mark.usefixtures("coarse")
def test_files_carry_neither_date_nor_version(tmp_path: Path) -> None:
    [(_, page)] = nanobenchmarks(models=NATIVE_SOFTWARE_HARDWARE[:2]).draw("slowdown")
    png, svg = plots.save(page, tmp_path / "a.b")
    assert page.dpi == 50, "saving leaves the figure as it was"
    assert (png.name, svg.name) == ("a.b.png", "a.b.svg")
    assert b"tEXt" not in png.read_bytes()
    assert not re.search(r"<dc:date>|Matplotlib v|<dc:title>", svg.read_text())


def test_pyplot_is_not_imported() -> None:
    sources = Path(plots.__file__).parent.glob("*.py")
    assert not [path for path in sources if "pyplot" in path.read_text(encoding="utf-8")], "it keeps global state"


def test_negative_overhead_goes_left_and_says_so(drawn: dict[str, Figure]) -> None:
    panel = next(axes for axes in drawn["overhead-by-event"].axes if axes.get_title() == "in")
    assert [note.get_text() for note in panel.texts] == ["−788 µs", "+3.32 ms"]
    assert panel.get_xlim()[0] < 0
    assert min(bar.get_width() for bar in panel.patches) < 0  # type: ignore[attr-defined]


def test_a_bar_to_both_sides_has_a_mark_at_its_sum() -> None:
    native: list[Row] = [("w", "native", "", "halt", 9), ("w", "native", "", "rdtsc", 1)]
    [(_, page)] = Frames([*native, ("w", "x", "", "halt", 1), ("w", "x", "", "rdtsc", 12)]).draw("overhead-by-event")
    [mark] = [line for line in page.axes[0].lines if line.get_marker() == "D"]
    assert np.asarray(mark.get_xdata()).tolist() == pytest.approx([3000 / MHZ])
    assert "net" in _legend(page)


def test_slowdown_below_one_is_left_of_the_baseline(drawn: dict[str, Figure]) -> None:
    axes = drawn["slowdown"].axes[0]
    texts = {note.get_text(): note.get_horizontalalignment() for note in axes.texts}
    assert texts["0.0673×"] == "right"
    assert texts["12,700×"] == "left"
    assert 1 in axes.get_xticks(), "the baseline has a tick"


def test_published_figures_are_marked_only_where_there_are_any(drawn: dict[str, Figure]) -> None:
    marked = drawn["cost-per-event"]
    frames = nanobenchmarks(models=["native"])
    frames.comparison = frames.comparison.iloc[:0]
    [(_, bare)] = frames.draw("cost-per-event")
    assert len(marked.axes[0].lines) == len(nanobenchmarks().comparison)
    assert not bare.axes[0].lines
    assert "published" in _legend(marked)
    assert "published" not in _legend(bare)
    assert_apart(bare)


def test_cost_per_event_is_busy_cycles_over_events(drawn: dict[str, Figure]) -> None:
    texts = [note.get_text() for note in drawn["cost-per-event"].axes[0].texts]
    assert texts == ["242", "2,308", "246", "3,209", "216", "15,826", "1", "391", "12,733"]


def test_a_mixed_workload_has_no_cost_per_event() -> None:
    [(_, page)] = MIXED.draw("cost-per-event")
    assert [label.get_text() for label in page.axes[0].get_xticklabels()] == ["port-in"]


def test_a_breakdown_by_event_is_of_mixed_workloads_if_there_are_any(drawn: dict[str, Figure]) -> None:
    for name in ("time-by-event", "overhead-by-event"):
        [(_, page)] = MIXED.draw(name)
        assert [axes.get_title() for axes in page.axes] == ["compile", "boot"]
        assert [axes.get_title() for axes in drawn[name].axes] == list(NANOBENCHMARKS)


def test_workloads_that_a_plot_leaves_out_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "save", lambda page, stem: ())
    notes = MIXED.bundle(["cost-per-event", "time-by-event", "slowdown"], tmp_path).notes
    assert [note.partition(" (")[0] for note in notes] == [
        "plot 'cost-per-event' leaves out compile, boot",
        "plot 'time-by-event' leaves out port-in",
    ]


def test_an_event_kind_has_a_style_of_its_own_and_keeps_it() -> None:
    names = [kind.name for kind in KINDS]
    assert set(names) == {*style.EVENT_STYLES, *style.COMPUTE_STYLES}
    assert len({style.event_style(name) for name in names}) == len(names)


def test_at_most_ten_kinds_are_coloured_and_the_rest_is_other() -> None:
    frames = Frames([("w", "native", "", kind.name, 10 + kind.code) for kind in KINDS])
    [(_, page)] = frames.draw("time-by-event")
    labels = _legend(page)
    assert labels[:2] == ["user_compute", "kernel_compute"]
    assert labels[-1] == style.OTHER
    assert len(labels) == 2 + data.MAX_KINDS + 1


def test_what_is_too_thin_to_be_seen_is_other() -> None:
    costs = {"user_compute": 5, "syscall": 10_000, "halt": 101, "rdtsc": 99, "cpuid": 1}
    stack = {event: Fraction(cost) for event, cost in costs.items()}
    case = data.Case("w", "")
    assert data.shown_kinds({case: {"native": stack}}) == ["user_compute", "syscall", style.OTHER]
    stack["halt"] += 10
    assert data.shown_kinds({case: {"native": stack}}) == ["user_compute", "syscall", "halt", style.OTHER]
    del stack["cpuid"]
    assert data.shown_kinds({case: {"native": stack}}) == ["user_compute", "syscall", "halt", "rdtsc"]


def test_unknown_plot_names_the_nearest_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'slowdown'"):
        nanobenchmarks().bundle(["time-by-event", "slow-down"], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("baseline", [None, "native", "absent"])
def test_plots_without_data_are_left_out_with_a_note(baseline: str | None, tmp_path: Path) -> None:
    frames = nanobenchmarks(models=["native"])
    frames.totals["relative_to_baseline"] = None
    written = frames.bundle(["slowdown", "overhead-by-event"], tmp_path, baseline)
    assert not written.paths
    assert [note.split("'")[1] for note in written.notes] == ["slowdown", "overhead-by-event"]


def test_an_empty_result_draws_nothing(tmp_path: Path) -> None:
    written = Frames([]).bundle(list(plots.PLOTS), tmp_path)
    assert not written.paths
    assert len(written.notes) == len(plots.PLOTS)


def test_a_run_that_is_missing_says_so() -> None:
    frames = Frames([("a", "native", "", "halt", 1), ("a", "x", "", "halt", 2), ("b", "native", "", "halt", 1)])
    for name in ("time-by-event", "cost-per-event"):
        [(_, page)] = frames.draw(name)
        assert "not run" in {note.get_text() for axes in page.axes for note in axes.texts}


def test_a_total_of_nothing_is_drawn_on_a_logarithmic_axis() -> None:
    frames = Frames([("a", "native", "", "halt", 1), ("a", "x", "", "halt", 50), ("a", "y", "", "halt", 0)])
    [(_, page)] = frames.draw("slowdown")
    assert [note.get_text() for note in page.axes[0].texts] == ["50.0×", "0×"]
    assert_apart(page)


def test_sweep_points_and_odd_names_do_not_touch_each_other() -> None:
    models = ("native", "hardware-vmm-with-nested-paging-and-huge-pages")
    runs = (
        ("boot $x$ <b>", "mechanisms.tlb.entries=64"),
        ("a_very_long_name-of-a-workload-with-many-parts/j16", "mechanisms.tlb.entries=64"),
        ("a_very_long_name-of-a-workload-with-many-parts/j16", "mechanisms.tlb.entries=1024"),
    )
    frames = Frames([(name, model, point, "halt", 10 + len(model)) for name, point in runs for model in models])
    for name in ("time-by-event", "slowdown", "cost-per-event"):
        [(_, page)] = frames.draw(name)
        assert_apart(page)


def test_names_that_do_not_fit_side_by_side_are_aslant() -> None:
    points = [f"mechanisms.tlb.associativity={2**n}" for n in range(9)]
    [(_, page)] = Frames([("hot/loop", "native", point, "halt", 7) for point in points]).draw("cost-per-event")
    assert {label.get_rotation() for label in page.axes[0].get_xticklabels()} == {35}
    assert_apart(page)


@pytest.mark.parametrize(
    ("name", "workloads", "models", "pages"),
    [
        ("overhead-by-event", 5, 6, 1),
        ("overhead-by-source", 7, 4, 1),
        ("slowdown", 7, 8, 2),
        ("performance", 11, 3, 1),
        ("performance", 10, 8, 2),
        ("cost-per-event", 6, 8, 2),
        ("blame", 5, 20, 1),
    ],
)
def test_many_models_and_workloads_take_pages_that_are_legible(
    name: str, workloads: int, models: int, pages: int
) -> None:
    drawn = many(workloads, models).draw(name)
    assert [stem for stem, _ in drawn] == [name, f"{name}-2"][:pages]
    _, page = drawn[0]
    width, height = page.get_size_inches()
    assert width <= style.DOUBLE_COLUMN
    assert height <= style.PAGE_HEIGHT
    assert_apart(page)


def test_sources_that_do_not_fit_on_a_page_go_to_the_next_on_the_same_axis() -> None:
    models = ["native", *(f"vmm-{n}" for n in range(9))]
    events = ("syscall", "page_fault", "pte_set", "pte_clear", "interrupt", "halt", "port_in", "port_out")
    costs = [(model, event, 9 + (m + 1) * n) for m, model in enumerate(models) for n, event in enumerate(events)]
    drawn = Frames([("w", model, "", event, cost) for model, event, cost in costs]).draw("overhead-by-source")
    assert len(drawn) == 2
    sources = [label.get_text() for _, page in drawn for label in page.axes[0].get_yticklabels()]
    assert sorted(sources) == sorted(set(events) - {"syscall"})
    assert len({page.axes[0].get_xlim()[0] for _, page in drawn}) == 1
    for _, page in drawn:
        assert page.get_figheight() <= style.PAGE_HEIGHT
        assert_apart(page)


def test_a_point_of_a_sweep_over_models_is_written_whole() -> None:
    point = "models.hardware-vmm=lookahead/nested-paging; models.software-vmm=pentium4-672/software-vmm"
    frames = Frames([("forkwait-500", model, point, "halt", 9 + len(model)) for model in ("native", "software-vmm")])
    for name in ("slowdown", "blame", "performance", "time-by-event"):
        [(_, page)] = frames.draw(name)
        shown = [text.get_text().replace("\n", "").replace(" ", "") for text in texts(page)]
        assert any(point.replace(" ", "") in text for text in shown), name
        assert_apart(page)


def test_a_name_in_a_legend_that_is_longer_than_the_plot_is_broken() -> None:
    name = "results/of-a-long-name/with-many-parts/that-is-wider-than-a-column-of-text"
    [(_, page)] = Frames([("a", model, "", "halt", 3) for model in ("native", name)]).draw("slowdown")
    [entry] = _legend(page)
    assert entry.replace("\n", "") == name
    assert_apart(page)


def test_a_page_holds_what_fits_and_at_least_one() -> None:
    cases = [data.Case(name, "") for name in "abcd"]
    assert figure.pages(cases, [1, 2, 9, 1], 3) == [cases[:2], cases[2:3], cases[3:]]
    assert figure.pages(cases, [1, 1, 1, 1], 4) == [cases]


def test_pages_without_end_are_cut_off_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = figure.Picture([lambda: Figure(figsize=(0.1, 0.1))] * (plots.MAX_PAGES + 2))
    monkeypatch.setattr(plots, "PLOTS", {"endless": lambda inputs: endless})
    written = Frames([]).bundle(["endless"], tmp_path)
    assert len(written.paths) == 2 * plots.MAX_PAGES
    assert written.notes == [f"plot 'endless' leaves out 2 of {plots.MAX_PAGES + 2} pages: too many bars"]


# Adams & Agesen 2006, Figure 5: seconds over native, of the software and of the hardware VMM.
BOOT = {"syscall": ("0.595", "0"), "in/out": ("0", "8.080"), "cr8wr": ("-0.108", "0.024"), "ptemod": ("0.106", "3.484")}
SOURCES = {"syscall": ["syscall"], "in/out": ["port_in", "port_out"], "cr8wr": ["cr8_write"], "ptemod": ["pte_modify"]}


def boot(*more: Row) -> Frames:
    """Runs whose overhead is twice the published one."""
    rows: list[Row] = []
    comparison = []
    for source, seconds in BOOT.items():
        event = SOURCES[source][0]
        rows.append(("boot", "native", "", event, MHZ * 1000))
        for model, published in zip(NATIVE_SOFTWARE_HARDWARE[1:], seconds, strict=True):
            rows.append(("boot", model, "", event, int(MHZ * 1000 * (1 + 2 * Fraction(published)))))
            quantity = f"overhead_seconds of {source}"
            comparison.append(
                ("boot", model, quantity, published, 2 * Fraction(published), 100, "predicted", "Figure 5")
            )
    return Frames([*rows, *more], comparison)


def test_overhead_by_source_has_a_bar_a_model_and_a_mark_a_published_value() -> None:
    [(_, page)] = boot().draw_sources(SOURCES)
    [axes] = page.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SOURCES)
    assert axes.get_xlabel() == "busy time over native (s)"
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert widths == pytest.approx([1.19, -0.216, 0.212, 16.16, 0.048, 6.968])
    texts = {note.get_text(): note.get_horizontalalignment() for note in axes.texts}
    assert texts["−216 ms"] == "right" and texts["+16.2 s"] == "left" and "0 s" in texts
    marks = [line for line in axes.lines if line.get_linewidth() == figure.PUBLISHED["linewidth"]]
    assert [np.asarray(mark.get_xdata())[0] for mark in marks] == [
        float(seconds[model]) for model in (0, 1) for seconds in BOOT.values()
    ]
    assert _legend(page) == ["software-vmm", "hardware-vmm", "published"]
    assert_apart(page)


def test_overhead_that_no_reference_names_is_other() -> None:
    rows: list[Row] = [("boot", "native", "", "halt", 10), ("boot", "hardware-vmm", "", "halt", 10 + MHZ * 500)]
    [(_, page)] = boot(*rows).draw_sources(SOURCES)
    assert page.axes[0].get_yticklabels()[-1].get_text() == style.OTHER
    assert "+500 ms" in {note.get_text() for note in page.axes[0].texts}
    equal: list[Row] = [("boot", model, "", "halt", 10) for model in NATIVE_SOFTWARE_HARDWARE]
    [(_, page)] = boot(*equal).draw_sources(SOURCES)
    assert page.axes[0].get_yticklabels()[-1].get_text() == "ptemod", "no bar where there is no other overhead"


def test_without_references_the_sources_are_events() -> None:
    frames = boot()
    frames.comparison = frames.comparison.iloc[:0]
    [(_, page)] = frames.draw("overhead-by-source")
    events = [label.get_text() for label in page.axes[0].get_yticklabels()]
    assert sorted(events) == ["cr8_write", "port_in", "pte_modify", "syscall"]
    assert "published" not in _legend(page)


def test_workloads_whose_sources_no_reference_gives_are_left_out_with_a_note(tmp_path: Path) -> None:
    frames = boot(("x", "native", "", "halt", 1), ("x", "software-vmm", "", "halt", 2))
    written = frames.bundle(["overhead-by-source"], tmp_path)
    assert written.notes == ["plot 'overhead-by-source' leaves out x (no reference gives its overhead by source)"]


def test_performance_is_the_baseline_over_the_run_in_percent() -> None:
    rows: list[Row] = [("w", "native", "", "halt", 50), ("w", "x", "", "halt", 100), ("w", "y", "", "halt", 40)]
    published = ("w", "x", "percent_of_baseline", "67.4", "50", 0, "predicted", "Figure 3")
    [(_, page)] = Frames(rows, [published]).draw("performance")
    [axes] = page.axes
    assert [note.get_text() for note in axes.texts] == ["50.0", "125.0"]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([50, 125])  # type: ignore[attr-defined]
    heights = [np.asarray(line.get_ydata())[0] for line in axes.lines]
    assert heights == [100, 67.4], "the line of the baseline, and the mark"
    assert 100 in axes.get_yticks()
    assert _legend(page) == ["x", "y", "published"]


def test_a_value_gives_way_to_a_mark_above_its_bar_and_stands_in_the_bar() -> None:
    rows: list[Row] = [("w", "native", "", "halt", 50), ("w", "x", "", "halt", 100), ("w", "y", "", "halt", 1000)]
    published = [("w", model, "percent_of_baseline", mark, "50", 0, "predicted", "F") for model, mark in (("x", 60),)]
    [(_, page)] = Frames(rows, published).draw("performance")
    texts = {note.get_text(): note.get_verticalalignment() for note in page.axes[0].texts}
    assert texts == {"50.0": "top", "5": "bottom"}, "a bar too short for its value has it above"
    assert_apart(page)


def test_slowdown_has_marks_of_published_ratios_and_of_seconds_over_the_modelled_baseline() -> None:
    rows: list[Row] = [("w", model, "", "halt", cost) for model, cost in (("native", MHZ), ("x", 4 * MHZ), ("y", MHZ))]
    published = [
        ("w", "x", "total_seconds", "0.005", "0.004", 0, "predicted", "F"),
        ("w", "native", "total_seconds", "0.002", "0.001", 0, "predicted", "F"),
        ("w", "y", "relative_to_baseline", "3", "1", 0, "predicted", "F"),
    ]
    [(_, page)] = Frames(rows, published).draw("slowdown")
    marks = [line for line in page.axes[0].lines if line.get_linewidth() == figure.PUBLISHED["linewidth"]]
    assert [np.asarray(mark.get_xdata())[0] for mark in marks] == pytest.approx([5, 3])
    assert _legend(page) == ["x", "y", "published"]
    assert_apart(page)


def slowdown_texts(ratio: str, published: str, other: int) -> dict[str, tuple[float, str]]:
    """Return the values beside the bars of two workloads, with their places; the first has a published value."""
    rows: list[Row] = [("w", "native", "", "halt", 1000), ("w", "x", "", "halt", int(float(ratio) * 1000))]
    rows += [("v", "native", "", "halt", 1000), ("v", "x", "", "halt", other * 1000)]
    mark = ("w", "x", "relative_to_baseline", published, ratio, 0, "predicted", "F")
    [(_, page)] = Frames(rows, [mark]).draw("slowdown")
    assert_apart(page)
    texts: Any = page.axes[0].texts
    return {text.get_text(): (text.xy[0], text.get_horizontalalignment()) for text in texts}


@pytest.mark.parametrize(
    ("ratio", "published", "other", "text", "place"),
    [
        ("2.85", "6.14", 18, "2.85×", (2.85, "left")),
        ("8", "8.6", 18, "8.00×", (8.0, "right")),
        ("1.2", "2.2", 19, "1.20× (published 2.20×)", (2.2, "left")),
    ],
    ids=["between the bar and the mark", "in the bar", "beyond the mark, which is named"],
)
def test_a_modelled_value_is_not_taken_for_the_published_one(
    ratio: str, published: str, other: int, text: str, place: tuple[float, str]
) -> None:
    found = slowdown_texts(ratio, published, other)[text]
    assert (round(found[0], 9), found[1]) == place


def test_other_is_no_larger_than_the_least_kind_that_is_named() -> None:
    thin = ("halt", "rdtsc", "cpuid", "port_in", "port_out", "msr_read")
    stack = {"syscall": Fraction(10_000), **{name: Fraction(90) for name in thin}, "halt": Fraction(300)}
    kinds = data.shown_kinds({data.Case("w", ""): {"native": stack}})
    assert set(kinds) == {"syscall", *thin}, "together they would weigh more than halt, and than any other"
    stack["halt"] = Fraction(600)
    assert data.shown_kinds({data.Case("w", ""): {"native": stack}}) == ["syscall", "halt", style.OTHER]


def test_kinds_that_meet_have_different_colours() -> None:
    stack = {"port_in": Fraction(9), "port_out": Fraction(8), "syscall": Fraction(7), "new_code": Fraction(6)}
    kinds = data.shown_kinds({data.Case("w", ""): {"native": stack | {"halt": Fraction(5)}}})
    colours = [style.event_style(kind).colour for kind in kinds]
    assert all(one != other for one, other in itertools.pairwise(colours))
    assert kinds[0] == "port_in"


def _legend(page: Figure) -> list[str]:
    return [entry.get_text() for entry in page.legends[0].get_texts()]


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def test_touched_pages_do_not_make_a_workload_mixed() -> None:
    rows = [("w", "native", "", "touch", 40), ("w", "native", "", "pte_set", 500), ("v", "native", "", "syscall", 5)]
    frames = Frames([*rows, ("v", "native", "", "user_compute", 5)])
    inputs = data.Inputs(frames.totals, frames.breakdown, frames.comparison, None, "t")
    assert inputs.mixed == {"v"}


def test_a_tornado_tells_its_numbers_and_counts_bars_that_could_not_be_seen() -> None:
    swings = (
        Swing("wide", Fraction(50), Fraction(130)),
        Swing("one_sided", Fraction(100), Fraction(110)),
        Swing("thin", Fraction(100), Fraction(1001, 10)),
        Swing("thinner", Fraction(100), Fraction(100)),
    )
    found = Sensitivity("w", "m", "total", "", Fraction(100), (), swings, None, None)
    page = whatif.tornado(found)
    (axes,) = page.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["wide", "one_sided"]
    assert [text.get_text() for text in axes.texts] == ["−50", "+30", "+10"]
    assert axes.get_xlabel() == "change of the total (%)\n2 more costs: ±0.1 % at most"
    assert_apart(page)


def test_no_line_over_time_has_the_colour_of_an_area() -> None:
    lines = {colour for colour, _ in timeline._LINES.values()}
    assert not lines & {colour for _, colour, _ in timeline._AREAS.values()}
