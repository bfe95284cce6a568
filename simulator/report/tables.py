"""Numbers and tables for people: three significant digits, with units. The exact values stand in the CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import JustifyMethod

Number: TypeAlias = int | Fraction | Decimal | float | str

MISSING = "–"
_COUNT_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SECOND_UNITS = {-4: "ps", -3: "ns", -2: "µs", -1: "ms", 0: "s"}


def exact(value: Number) -> Fraction:
    """Return any of the number types that results come in as an exact fraction.

    >>> exact("0.1") + exact(Decimal("0.2"))
    Fraction(3, 10)
    """
    return Fraction(value)


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: ``None``, not a number, or an empty text."""
    from pandas import isna

    return bool(isna(value)) or value == ""


def _rounded(value: Fraction, digits: int = 3) -> Decimal:
    """Return ``value`` correctly rounded to ``digits`` significant digits, half to even."""
    return Context(prec=digits).divide(Decimal(value.numerator), Decimal(value.denominator))


def _plain(value: Decimal, digits: int = 3) -> str:
    """Return a rounded decimal with thousands separated, padded to ``digits`` significant digits."""
    return f"{value:,.{max(0, digits - 1 - value.adjusted())}f}"


def time_unit(seconds: Number) -> tuple[int, str]:
    """Return the power of ten and the name of the unit that a time of this size is best read in.

    >>> time_unit("0.00123"), time_unit(-40), time_unit(0)
    ((-3, 'ms'), (0, 's'), (0, 's'))
    """
    rounded = _rounded(exact(seconds))
    thousands = min(0, max(-4, rounded.adjusted() // 3)) if rounded else 0
    return 3 * thousands, _SECOND_UNITS[thousands]


def human_seconds(seconds: Number) -> str:
    """Return a time with three significant digits in the unit that fits.

    >>> human_seconds("1.0699"), human_seconds(Fraction(-21, 10_000)), human_seconds("0.9999"), human_seconds(0)
    ('1.07 s', '-2.10 ms', '1.00 s', '0 s')
    """
    value = exact(seconds)
    if not value:
        return "0 s"
    power, unit = time_unit(value)
    return f"{_plain(_rounded(value).scaleb(-power))} {unit}"


def human_count(count: Number, unit: str = "") -> str:
    """Return a number of things with three significant digits and an SI prefix; a small integer stays as it is.

    >>> human_count(12_733, "cycles"), human_count(-2_993), human_count(242), human_count("11.4", "cycles")
    ('12.7 kcycles', '-2.99k', '242', '11.4 cycles')
    """
    value = exact(count)
    rounded = _rounded(value)
    thousands = min(len(_COUNT_PREFIXES) - 1, max(0, rounded.adjusted() // 3)) if value else 0
    whole = value.denominator == 1 and not thousands
    number = str(value.numerator) if whole else _plain(rounded.scaleb(-3 * thousands))
    prefix = _COUNT_PREFIXES[thousands]
    return f"{number} {prefix}{unit}" if unit else number + prefix


def human_ratio(ratio: Number) -> str:
    """Return a ratio with three significant digits.

    >>> human_ratio("6.3047"), human_ratio("0.067311"), human_ratio(12_733), human_ratio(1)
    ('6.30×', '0.0673×', '12,700×', '1.00×')
    """
    value = exact(ratio)
    return f"{_plain(_rounded(value))}×" if value else "0×"


def human_percent(percent: Number) -> str:
    """Return a signed percentage with one decimal; what rounds to zero has no sign.

    >>> human_percent("3.25"), human_percent(-12), human_percent("-0.01")
    ('+3.2 %', '-12.0 %', '0.0 %')
    """
    tenths = round(exact(percent) * 10)
    return f"{Decimal(tenths).scaleb(-1):+,.1f} %" if tenths else "0.0 %"


def human_quantity(value: Any, quantity: str) -> str:
    """Return a published or modelled figure: seconds with their unit, anything else with up to five digits.

    >>> human_quantity(15_826, "cycles_per_event"), human_quantity("6.02", "total_seconds"), human_quantity(None, "x")
    ('15,826', '6.02 s', '–')
    >>> human_quantity("67.4", "percent_of_baseline"), human_quantity("-0.108", "overhead_seconds of cr8_write")
    ('67.4 %', '-108 ms')
    """
    if is_missing(value):
        return MISSING
    if _name(quantity).endswith("_seconds"):
        return human_seconds(value)
    number = exact(value)
    if _name(quantity) == "percent_of_baseline":
        return f"{float(number):.1f} %" if abs(number) >= 10 else f"{float(number):.3g} %"
    if number.denominator == 1 and abs(number) < 10**6:
        return f"{number.numerator:,}"
    return f"{_rounded(number, 5):,.0f}" if abs(number) >= 1000 else f"{float(number):.4g}"


def human_difference(row: Any) -> str:
    """Return the modelled figure minus the published one, where that says more than their ratio; else nothing.

    Percentages differ by points; overheads may be zero or negative, where an error in percent says little.
    """
    if is_missing(row.published) or is_missing(row.modelled):
        return ""
    more = exact(row.modelled) - exact(row.published)
    if _name(row.quantity) == "percent_of_baseline":
        return human_percent(more).replace("%", "points")
    return "+" * (more > 0) + human_seconds(more) if _name(row.quantity) == "overhead_seconds" else ""


def _name(quantity: str) -> str:
    """Return a quantity without what it is of."""
    return str(quantity).partition(" ")[0]


class Column(NamedTuple):
    """The heading of a table's column, and whether its cells are numbers."""

    heading: str
    numeric: bool = False


class Grid(NamedTuple):
    """A table as formatted text, for the terminal and for the page alike."""

    columns: Sequence[Column]
    rows: Sequence[tuple[str, ...]]


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame; their cells are attributes by the name of the column."""
    yield from frame.itertuples(index=False)


def point_of(row: Any) -> str:
    """Return the sweep point of a row, empty if there is none."""
    return "" if is_missing(row.point) else str(row.point)


def totals_grid(totals: pd.DataFrame, uncertainty: pd.DataFrame | None = None) -> Grid:
    """Return the totals, one row a run; columns for points, waits, idle time and bounds only where there are any."""
    bounds = bounds_of(uncertainty)
    seconds_per_cycle = [_seconds_per_cycle(row) for row in records(totals)]
    optional = [name for name in ("wait", "idle") if any(exact(cell) for cell in totals[f"{name}_cycles"])]
    pointed = any(point_of(row) for row in records(totals))
    names = ["events", "total", "busy", *optional, "relative"]
    columns = [Column("workload"), Column("model"), *([Column("point")] if pointed else [])]
    columns += [Column(name, numeric=True) for name in names]
    columns += [Column(name, numeric=True) for name in ("total low–high", "relative low–high") if bounds]
    rows = []
    for row, scale in zip(records(totals), seconds_per_cycle, strict=True):
        times = [human_seconds(exact(getattr(row, f"{name}_cycles")) * scale) for name in ("busy", *optional)]
        ratio = MISSING if is_missing(row.relative_to_baseline) else human_ratio(row.relative_to_baseline)
        texts = [str(row.workload), str(row.model), *([point_of(row)] if pointed else [])]
        ends = _bounds_cells(bounds.get((str(row.workload), str(row.model), point_of(row)))) if bounds else ()
        rows.append((*texts, human_count(row.events), human_seconds(row.total_seconds), *times, ratio, *ends))
    return Grid(tuple(columns), rows)


def ranked_totals_grid(totals: pd.DataFrame, uncertainty: pd.DataFrame | None, baseline: str | None) -> Grid:
    """Return the totals with the rank of each run in its workload, 1 the fastest, and busy times over the baseline's.

    These are there if something waits or is idle: then they are not as their totals.
    """
    grid = totals_grid(totals, uncertainty)
    rows = list(records(totals))
    headings = [column.heading for column in grid.columns]
    first, last = headings.index("events"), headings.index("relative") + 1
    waits = baseline is not None and any(name in headings for name in ("wait", "idle"))
    columns = [*grid.columns[:first], Column("rank", numeric=True), *grid.columns[first:last]]
    columns += [Column("busy, relative", numeric=True)] if waits else []
    texts = [
        (*row[:first], str(rank), *row[first:last], *([ratio] if waits else []), *row[last:])
        for row, rank, ratio in zip(grid.rows, _ranks(rows), _busy_ratios(rows, baseline), strict=True)
    ]
    return Grid((*columns, *grid.columns[last:]), texts)


def _ranks(rows: Sequence[Any]) -> Iterator[int]:
    """Yield the rank of each run among those of its workload and point; equal times have one rank."""
    times: dict[tuple[str, str], list[Fraction]] = {}
    for row in rows:
        times.setdefault((str(row.workload), point_of(row)), []).append(exact(row.total_seconds))
    for row in rows:
        mine = exact(row.total_seconds)
        yield 1 + sum(other < mine for other in times[str(row.workload), point_of(row)])


def _busy_ratios(rows: Sequence[Any], baseline: str | None) -> Iterator[str]:
    """Yield the busy time of each run over that of the baseline."""
    busy = {
        (str(row.workload), point_of(row), str(row.model)): exact(row.busy_cycles) * _seconds_per_cycle(row)
        for row in rows
    }
    for (workload, point, _), seconds in busy.items():
        base = busy.get((workload, point, baseline or ""))
        yield human_ratio(seconds / base) if base else MISSING


def bounds_of(uncertainty: pd.DataFrame | None) -> dict[tuple[str, str, str], Any]:
    """Return the rows of uncertainty.csv by workload, model and point."""
    rows = () if uncertainty is None else records(uncertainty)
    return {(str(row.workload), str(row.model), point_of(row)): row for row in rows}


def _bounds_cells(row: Any) -> tuple[str, str]:
    """Return the low and the high of the total and of its ratio; nothing where they are not known."""
    if row is None:
        return "", ""
    total = f"{human_seconds(row.total_low_seconds)} – {human_seconds(row.total_high_seconds)}"
    if is_missing(row.relative_low):
        return total, ""
    return total, f"{human_ratio(row.relative_low)} – {human_ratio(row.relative_high)}"


def _seconds_per_cycle(row: Any) -> Fraction:
    cycles = exact(row.total_cycles)
    return exact(row.total_seconds) / cycles if cycles else Fraction(0)


class Section(NamedTuple):
    """The breakdown of one run: what it is called, its busy time, and its rows, the dearest first."""

    label: str
    seconds: Fraction
    rows: list[tuple[str, ...]]


BREAKDOWN_COLUMNS = (
    Column("event"),
    Column("action"),
    Column("events", numeric=True),
    Column("actions", numeric=True),
    Column("cycles", numeric=True),
    Column("time", numeric=True),
    Column("share", numeric=True),
)


def breakdown_sections(breakdown: pd.DataFrame, workload: str, top: int | None = None) -> Iterator[Section]:
    """Yield a section for each run of ``workload``, in the order given; what is beyond ``top`` rows is one row."""
    runs: dict[tuple[str, str], list[Any]] = {}
    for row in records(breakdown[breakdown["workload"] == workload]):
        runs.setdefault((str(row.model), point_of(row)), []).append(row)
    for (model, point), rows in runs.items():
        rows.sort(key=lambda row: (-exact(row.seconds), row.event, row.action))
        total = sum((exact(row.seconds) for row in rows), Fraction(0))
        kept = rows if top is None or len(rows) <= top + 1 else rows[:top]
        cells = [_breakdown_row(row, total) for row in kept]
        if rest := rows[len(kept) :]:
            cells.append(_rest_row(rest, total))
        yield Section(f"{model}, {point}" if point else model, total, cells)


def _breakdown_row(row: Any, total: Fraction) -> tuple[str, ...]:
    counts = human_count(row.events), human_count(row.actions)
    return (str(row.event), str(row.action), *counts, *_amounts([row], total))


def _rest_row(rows: list[Any], total: Fraction) -> tuple[str, ...]:
    return (f"{len(rows)} more", "", "", human_count(sum(row.actions for row in rows)), *_amounts(rows, total))


def _amounts(rows: list[Any], total: Fraction) -> tuple[str, str, str]:
    """Return the cycles, the time, and the share of ``total`` of some rows of a breakdown."""
    seconds = sum((exact(row.seconds) for row in rows), Fraction(0))
    cycles = sum((exact(row.cycles) for row in rows), Fraction(0))
    return human_count(cycles), human_seconds(seconds), _share(seconds, total)


def _share(part: Fraction, whole: Fraction) -> str:
    """Return a part in per cent of the whole; what is there is never shown as nothing.

    >>> _share(Fraction(1, 8), Fraction(1)), _share(Fraction(1), Fraction(10**6)), _share(Fraction(0), Fraction(1))
    ('12.5 %', '<0.1 %', '0.0 %')
    """
    if not whole:
        return MISSING
    percent = 100 * part / whole
    return "<0.1 %" if 0 < percent < Fraction(5, 100) else f"{float(percent):.1f} %"


def comparison_grid(comparison: pd.DataFrame) -> Grid:
    """Return the comparison with references, one row a figure, the source last.

    A column for differences is there only where one of the quantities has them. A frame with a column ``experiment``
    has that first.
    """
    from simulator.result import in_words

    differences = [human_difference(row) for row in records(comparison)]
    names = [name for name in ("experiment", "workload", "model", "quantity") if name in comparison]
    numbers = ["published", "modelled", "error", *(["difference"] if any(differences) else [])]
    columns = [*map(Column, names), *(Column(name, numeric=True) for name in numbers)]
    rows = []
    for row, difference in zip(records(comparison), differences, strict=True):
        figures = [human_quantity(cell, str(row.quantity)) for cell in (row.published, row.modelled)]
        figures.append(MISSING if is_missing(row.error_percent) else human_percent(row.error_percent))
        figures += [difference] if any(differences) else []
        texts = [*(str(getattr(row, name)) for name in names[:-1]), in_words(str(row.quantity))]
        rows.append((*texts, *figures, str(row.status), str(row.source)))
    return Grid((*columns, Column("status"), Column("source")), rows)


def footnoted(grid: Grid) -> tuple[Grid, list[str]]:
    """Return a grid with a number in place of each text of its last column, and these texts, each once, by number.

    >>> footnoted(Grid((Column("a"), Column("source")), [("x", "S"), ("y", "T"), ("z", "S")]))[0].rows
    [('x', '1'), ('y', '2'), ('z', '1')]
    """
    numbers = {text: str(n) for n, text in enumerate(dict.fromkeys(row[-1] for row in grid.rows), 1)}
    rows = [(*row[:-1], numbers[row[-1]]) for row in grid.rows]
    return Grid((*grid.columns[:-1], Column(grid.columns[-1].heading, numeric=True)), rows), list(numbers)


def totals_table(totals: pd.DataFrame, baseline: str | None, uncertainty: pd.DataFrame | None = None) -> Table:
    """Return the totals as a table for the terminal."""
    title = f"Totals, relative to {baseline}" if baseline else "Totals"
    table = grid_table(title, totals_grid(totals, uncertainty), grouped=True)
    about = "total is from start to end; other times are sums over the virtual CPUs, each up to its own end"
    if bounds_of(uncertainty):
        about += "\nlow–high: all costs at their low, and at their high (worst cases); only where nothing waits"
    table.caption = Text(about, style="dim")
    table.caption_justify = "left"
    return table


def breakdown_table(breakdown: pd.DataFrame, workload: str, top: int = 12) -> Table:
    """Return the breakdown of one workload: for each run its ``top`` dearest rows of (event, action).

    Cycles are left out, so that the longest names of events and actions fit into 80 columns.
    """
    shown = [index for index, column in enumerate(BREAKDOWN_COLUMNS) if column.heading != "cycles"]
    table = _table(f"Busy time of {workload}", [BREAKDOWN_COLUMNS[index] for index in shown])
    for section in breakdown_sections(breakdown, workload, top):
        header = section.label, "", "", "", human_seconds(section.seconds)
        table.add_row(*(Text(cell, style="bold") for cell in header))
        for row in section.rows:
            event, *cells = (row[index] for index in shown)
            table.add_row(Text(f"  {event}"), *map(Text, cells))
        table.add_section()
    return table


def comparison_table(comparison: pd.DataFrame, remarks: Sequence[str] = ()) -> Table:
    """Return the comparison with references; the sources, and remarks on them, stand below the table, a line each.

    Sources have numbers, which the last column has too, unless there is only one.
    """
    grid, sources = footnoted(comparison_grid(comparison))
    if len(sources) < 2:
        grid = Grid(grid.columns[:-1], [row[:-1] for row in grid.rows])
    table = grid_table("Compared with published figures", grid, grouped=True)
    numbered = [f"source {n}: {source}" for n, source in enumerate(sources, 1)]
    below = numbered if len(sources) > 1 else [f"source: {source}" for source in sources]
    below += [f"note: {remark}" for remark in remarks]
    table.caption = Text("\n".join(below), style="dim") if below else None
    table.caption_justify = "left"
    return table


def grid_table(title: str, grid: Grid, grouped: bool = False) -> Table:
    """Return a grid as a table for the terminal.

    Where it is ``grouped``, a first cell that repeats is written once, and a rule parts the groups.
    """
    table = _table(title, grid.columns)
    previous: str | None = None
    for first, *cells in grid.rows:
        if grouped and previous not in {None, first}:
            table.add_section()
        table.add_row(Text("" if grouped and first == previous else first), *map(Text, cells))
        previous = first
    return table


def _table(title: str, columns: Iterable[Column]) -> Table:
    """Return an empty table that fits into 80 columns."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        justify: JustifyMethod = "right" if column.numeric else "left"
        table.add_column(Text(column.heading), justify=justify, no_wrap=column.numeric, overflow="fold")
    return table
