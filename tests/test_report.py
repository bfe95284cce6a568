"""What people see: numbers with units, tables that fit a terminal, and the offline page."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_frames import NANOBENCHMARKS, Frames, many, nanobenchmarks
from rich.console import Console
from rich.table import Table

from simulator.events import KINDS
from simulator.report import html, plots, tables
from simulator.report.scripts import scripts

# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ("-0.788", "-788 ms"),
        (Fraction(-1, 3), "-333 ms"),
        ("0.00099951", "1.00 ms"),
        ("1e-13", "0.100 ps"),
        ("-0.0000000105", "-10.5 ns"),
        (12_345, "12,300 s"),
        (0, "0 s"),
    ],
)
def test_seconds_for_people(seconds: tables.Number, text: str) -> None:
    assert tables.human_seconds(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (-999, "-999"), (999_600, "1.00M"), (10**12, "1.00T"), (10**21, "1,000E"), ("2.5", "2.50")],
)
def test_counts_for_people(count: tables.Number, text: str) -> None:
    assert tables.human_count(count) == text


def test_what_rounds_to_no_error_has_no_sign() -> None:
    assert [tables.human_percent(value) for value in ("-0.04", "0.04", "-0.06")] == ["0.0 %", "0.0 %", "-0.1 %"]


# --- tables ---------------------------------------------------------------------------------------------------------


def printed(table: Table) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get().splitlines()


def test_tables_fit_80_columns() -> None:
    frames = nanobenchmarks()
    for table in (
        tables.totals_table(frames.totals, "native"),
        tables.comparison_table(frames.comparison),
        tables.breakdown_table(frames.breakdown, "in"),
        tables.totals_table(many().totals, "native"),
    ):
        assert max(map(len, printed(table))) <= 80


def test_totals_table_writes_units_and_ratios() -> None:
    text = "\n".join(printed(tables.totals_table(nanobenchmarks().totals, "native")))
    assert re.search(r"hardware-vmm +1.00k +4.16 ms +4.16 ms +4.93×", text)
    assert "wait" not in text, "a column without any time is left out"


def test_a_total_without_baseline_is_not_a_number() -> None:
    frames = Frames([("w", "software-vmm", "", "syscall", 5)])
    assert tables.MISSING in next(
        line for line in printed(tables.totals_table(frames.totals, None)) if "software-vmm" in line
    )


def test_breakdown_table_folds_what_is_beyond_the_top() -> None:
    frames = Frames([("w", "native", "", kind.name, 10 + kind.code) for kind in KINDS])
    lines = printed(tables.breakdown_table(frames.breakdown, "w", top=5))
    assert f"{len(KINDS) - 5} more" in "\n".join(lines)
    assert lines[4].split()[0] == KINDS[-1].name, "the dearest comes first"


def test_markup_in_a_name_is_text() -> None:
    frames = Frames([("[red]w[/red]", "[bold]", "", "syscall", 5)])
    assert "[red]w[/red]" in "\n".join(printed(tables.totals_table(frames.totals, None)))


def test_a_first_cell_that_repeats_is_written_once_only_in_a_grouped_table() -> None:
    grid = tables.Grid([tables.Column("a"), tables.Column("b", numeric=True)], [("x", "1"), ("x", "2"), ("y", "3")])
    assert [line.split() for line in printed(tables.grid_table("T", grid))[3:]] == [["x", "1"], ["x", "2"], ["y", "3"]]
    grouped = printed(tables.grid_table("T", grid, grouped=True))[3:]
    assert [line.split() for line in grouped] == [["x", "1"], ["2"], [], ["y", "3"]]


def test_sources_are_named_once_below_the_comparison_a_line_each() -> None:
    rows = [("w", "m", "total_cycles", 1, 1, 0, "input", source) for source in ("Here", "There", "Here")]
    frames = Frames([("w", "m", "", "syscall", 1)], rows)
    lines = [line.rstrip() for line in printed(tables.comparison_table(frames.comparison, ["a remark"]))]
    assert lines[-3:] == ["source 1: Here", "source 2: There", "note: a remark"]
    assert [line.split()[-1] for line in lines[3:6]] == ["1", "2", "1"]
    page = frames.page()
    assert page.count("There") == 1 and page.count("Here") == 1
    assert page.count('href="#source-1"') == 2
    frames.comparison = frames.comparison.iloc[:1]
    assert printed(tables.comparison_table(frames.comparison))[-1].rstrip() == "source: Here"


def test_empty_comparison_is_an_empty_table() -> None:
    assert tables.comparison_table(Frames([]).comparison).row_count == 0


# --- the page -------------------------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """The tags of a page and the ids in it; every tag that is opened must be closed."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.resources: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.resources += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_everything_from_data_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    frames = Frames([(evil, evil, evil, evil, 1)], [(evil, evil, evil, 1, 2, 3, evil, evil)])
    changes = {
        "notes": [evil],
        "warnings": [evil, f"`{evil}`"],
        "description": evil,
        "baseline": evil,
        "resolved_yaml_text": evil,
        "title": evil,
    }
    page = frames.page(**changes, provenance={evil: evil})
    assert "<script" not in page
    assert "script" not in Outline(page).tags
    assert page.count("&lt;script&gt;") > 10


def test_no_script_ends_before_its_end_and_bokeh_is_read_but_not_imported() -> None:
    """Importing it takes half a second, which nobody who writes a report should wait for."""
    assert not [script.hash for script in scripts() if "</script" in script.text.lower()]
    code = "import sys; from simulator.report.scripts import scripts; scripts(); print('bokeh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_only_the_scripts_of_the_page_may_run() -> None:
    live: dict[str, Any] = {"models": {"m": {}}, "note": "</script><script>"}
    page = nanobenchmarks().page(live=live)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy.group(1)
    found = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in found]
    assert hashes == re.findall(r"'sha256-([^']*)'", policy.group(1))
    assert len(found) == len(scripts())
    assert "</script><script>" not in page.partition('id="live-data">')[2].partition("</script>\n")[0]


def test_ranks_are_by_time_within_a_workload_and_equal_times_share_one() -> None:
    frames = Frames(
        [
            ("w", "a", "", "syscall", 5),
            ("w", "b", "", "syscall", 3),
            ("w", "c", "", "syscall", 5),
            ("x", "a", "", "syscall", 9),
        ]
    )
    grid = tables.ranked_totals_grid(frames.totals, None, "a")
    rank = [column.heading for column in grid.columns].index("rank")
    assert [row[rank] for row in grid.rows] == ["2", "1", "2", "1"]


def test_every_plot_has_a_text_for_those_who_cannot_see_it() -> None:
    assert html._ALTERNATIVES.keys() == plots.PLOTS.keys() | {"sweep"}


def test_the_page_stands_alone(tmp_path: Path) -> None:
    frames = nanobenchmarks()
    written = frames.bundle(["slowdown"], tmp_path)
    outline = Outline(frames.page(plots=[path for path in written.paths if path.suffix == ".svg"]))
    assert all(resource.startswith(("#", "data:image/svg+xml;base64,")) for resource in outline.resources)
    assert outline.tags.count("img") == 1
    assert len(outline.ids) == len(set(outline.ids))
    assert {resource[1:] for resource in outline.resources if resource.startswith("#")} <= set(outline.ids)
    assert outline.tags.count("h1") == 1


def test_the_page_has_a_breakdown_for_each_workload() -> None:
    page = nanobenchmarks().page()
    assert [f"<summary>{name}</summary>" in page for name in NANOBENCHMARKS] == [True] * len(NANOBENCHMARKS)
    assert Outline(page).tags.count("details") == len(NANOBENCHMARKS) + 1


def test_sections_without_content_are_left_out() -> None:
    page = Frames([]).page()
    assert "No event was counted" in page
    for heading in ("Comparison with", "Plots</h2>", "Notes</h2>", "Warnings</h2>"):
        assert heading not in page


def test_warnings_stand_on_top_and_notes_behind_the_totals() -> None:
    page = nanobenchmarks().page(notes=["a note"], warnings=["a warning"])
    places = [page.index(text) for text in ("a warning", '<h2 id="totals">', "a note", '<h2 id="breakdown">')]
    assert places == sorted(places)


def test_what_stands_in_backticks_is_code() -> None:
    page = nanobenchmarks().page(
        description="Run `vmmsim run a<b`, or not", notes=["see `list`"], warnings=["no ` pair"]
    )
    for text in ("<code>vmmsim run a&lt;b</code>, or not", "see <code>list</code>", "no ` pair"):
        assert text in page
