"""What `vmmsim show` prints of an event stream, and `vmmsim stream` of one that it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.report.tables import MISSING, Column, Grid, grid_table, human_count, human_seconds
from simulator.report.view import View
from simulator.stream import Header, ParquetStream
from simulator.workload.summary import BINS, GROUPS, MODES, CpuSummary, Summary, Timeline
from simulator.workload.untold import whose_times

COLUMNS = 60
"""Characters across a timeline in the terminal."""
_SHOWN, _CPUS_SHOWN = 8, 16
_LABEL, _BARS = 10, "▁▂▃▄▅▆▇█"
_MODE_NAMES = {"user_ns": "user", "kernel_ns": "kernel", "idle_ns": "idle"}

_MODES_IN_WORDS = {"user_ns": "user computation", "kernel_ns": "kernel computation", "idle_ns": "idle"}


def stream_view(title: str, source: str, summary: Summary, description: str = "") -> View:
    """Show what a stream holds: how much of what, on which virtual CPUs, by which tasks, and when."""
    notes = [f"its times are {whose}: compare counts alone" for whose in [whose_times(summary.header)] if whose]
    parts: list[str | Table] = [_heading(title, source, summary), *(f"note: {note}" for note in notes)]
    parts += [description] if description else []
    parts += _origin(summary.header)
    parts += [_events(summary), _cpus(summary)]
    parts += [table for table in (_tasks(summary), _spaces(summary), _devices(summary)) if table is not None]
    if summary.timeline is not None:
        parts.append(timeline_text(summary.timeline, summary.header.vcpus))
    return View(tuple(parts), {**_data(title, summary), "description": description, "notes": notes})


def written_view(path: Path) -> View:
    """Show in a line what was written into a file."""
    stream = ParquetStream.open(path)
    header = stream.header
    recorded = f", {_time(header.recorded_ns)} recorded" if header.recorded_ns else ""
    text = f"{path}: {header.title}: {stream.rows:,} rows, {_cpu_count(header.vcpus)}{recorded}"
    data = {"out": str(path), "title": header.title, "rows": stream.rows, "vcpus": header.vcpus}
    return View((text,), {**data, "recorded_ns": header.recorded_ns, "history": list(header.history)})


def _time(nanoseconds: int) -> str:
    return human_seconds(Fraction(nanoseconds, 10**9))


def _cpu_count(number: int) -> str:
    return f"{number} virtual CPU{'s' * (number != 1)}"


def _heading(title: str, source: str, summary: Summary) -> str:
    header = summary.header
    events = sum(cpu.events for cpu in summary.cpus)
    lines = [title, source, f"{_cpu_count(header.vcpus)}, {summary.rows:,} rows, {events:,} events"]
    if header.recorded_ns:
        lines.append(f"recorded: {_time(header.recorded_ns)}")
    if summary.timeline is not None and summary.timeline.beyond_ns > 0:
        lines.append(f"warning: the rows reach {_time(summary.timeline.beyond_ns)} beyond the recorded time")
    lines += [f"{_MODES_IN_WORDS[mode]}: {_time(ns)}" for mode, ns in summary.times.items() if ns]
    return "\n".join(line for line in lines if line)


def _origin(header: Header) -> list[str]:
    """Return where a stream comes from, and what was done with it since."""
    told = [f"{key}: {_in_words(value)}" for key, value in header.provenance.items()]
    parts = ["Provenance\n" + "\n".join(f"  {line}" for line in told)] if told else []
    if header.history:
        parts.append("History\n" + "\n".join(_history(header.history)))
    return parts


def _in_words(value: Any) -> str:
    """Return a value of the provenance in a line; of a mapping of numbers, how many they are and their sum."""
    if isinstance(value, Mapping) and all(isinstance(number, int) for number in value.values()):
        return f"{len(value)}, together {sum(value.values()):,}"
    return str(value)


def _history(entries: Sequence[Mapping[str, Any]], indent: int = 1) -> Iterable[str]:
    """Yield a line for each operation and each of its inputs; below an input of several, its own history."""
    for entry in entries:
        parameters = "".join(f", {_parameter(key, value)}" for key, value in entry["parameters"].items())
        yield f"{'  ' * indent}{entry['operation']}{parameters} ({entry['tool']}), of"
        for source in entry["inputs"]:
            yield f"{'  ' * (indent + 1)}{source['title']}, rows SHA-256 {str(source['content_sha256'])[:16]}…"
            yield from _history(source.get("history", ()), indent + 2)


def _parameter(key: str, value: Any) -> str:
    if key.endswith("_ns") and isinstance(value, int):
        return f"{key.removesuffix('_ns')} {_time(value)}"
    return f"{key} {value}"


def _events(summary: Summary) -> Table:
    columns = [Column("event"), Column("count", numeric=True)]
    seconds = Fraction(summary.header.recorded_ns, 10**9)
    rows: list[tuple[str, ...]] = [(name, f"{n:,}") for name, n in _most(summary.events)]
    if seconds:
        columns.append(Column("per second", numeric=True))
        rows = [(*row, human_count(round(summary.events[row[0]] / seconds))) for row in rows]
    return grid_table("Events", Grid(tuple(columns), rows))


def _cpus(summary: Summary) -> Table:
    """Return where the time of each virtual CPU went; what is not told of it is the rest of the recorded time."""
    columns = [Column("virtual CPU"), *(Column(name, numeric=True) for name in ("rows", "events"))]
    columns += [Column(name, numeric=True) for mode in MODES for name in (_MODE_NAMES[mode], "%")]
    shown = enumerate(summary.cpus[:_CPUS_SHOWN])
    rows = [_cpu(str(number), cpu, summary.header.recorded_ns) for number, cpu in shown]
    total = CpuSummary(summary.rows, sum(cpu.events for cpu in summary.cpus))
    total.times.update(summary.times)
    if len(summary.cpus) > 1:
        rows.append(_cpu("all", total, summary.header.recorded_ns * len(summary.cpus)))
    title = _top("Time by virtual CPU", "the first", len(summary.cpus), _CPUS_SHOWN)
    return grid_table(title, Grid(tuple(columns), rows))


def _cpu(name: str, cpu: CpuSummary, whole: int) -> tuple[str, ...]:
    whole = whole or sum(cpu.times.values())
    cells = [(_time(cpu.times[mode]), f"{100 * cpu.times[mode] / whole:.1f}" if whole else MISSING) for mode in MODES]
    return (name, f"{cpu.rows:,}", f"{cpu.events:,}", *(cell for pair in cells for cell in pair))


def _tasks(summary: Summary) -> Table | None:
    tasks = _by_task(summary)
    if not tasks:
        return None
    shown = [
        (name, *(_time(times.get(mode, 0)) for mode in ("user_ns", "kernel_ns")))
        for name, times in list(tasks.items())[:_SHOWN]
    ]
    columns = (Column("task"), Column("user", numeric=True), Column("kernel", numeric=True))
    return grid_table(_top("Computation by task", "those that computed most", len(tasks)), Grid(columns, shown))


def _by_task(summary: Summary) -> dict[str, dict[str, int]]:
    """Return nanoseconds of computation by name of task and mode, the most first."""
    every = sorted(summary.tasks.items(), key=lambda task: (-sum(task[1].values()), task[0]))
    return {name: dict(times) for name, times in every}


def _spaces(summary: Summary) -> Table | None:
    if not summary.spaces:
        return None
    most = sorted(summary.spaces.items(), key=lambda space: (-space[1].page_faults, -space[1].events, space[0]))
    rows = [
        (str(number), f"{space.page_faults:,}", f"{space.page_table_writes:,}", f"{space.events:,}")
        for number, space in most[:_SHOWN]
    ]
    torn_down = sum(space.torn_down for space in summary.spaces.values())
    names = ("page faults", "page-table writes", "events")
    columns = (Column("address space"), *(Column(name, numeric=True) for name in names))
    title = _top(
        f"Address spaces: {len(most):,}, torn down: {torn_down:,}", "those with the most page faults", len(most)
    )
    return grid_table(title, Grid(columns, rows))


def _devices(summary: Summary) -> Table | None:
    if not summary.devices:
        return None
    rows = [
        (
            name,
            ", ".join(f"{n:,} {kind}" for kind, n in _most(device.events)),
            human_count(device.bytes, "B") if device.bytes else "",
        )
        for name, device in sorted(summary.devices.items())
    ]
    columns = (Column("device"), Column("events"), Column("requested", numeric=True))
    return grid_table("Devices", Grid(columns, rows))


def _top(title: str, what: str, number: int, shown: int = _SHOWN) -> str:
    return f"{title}; {shown} of {number:,}, {what}" if number > shown else title


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def timeline_text(timeline: Timeline, vcpus: int) -> str:
    """Return lines of bars over recorded time: rates by group of events, and where the virtual CPUs' time went.

    Each line has its own scale, from nothing to the rate that stands behind it.
    """
    length = int(timeline.edges[-1])
    column = Fraction(length, COLUMNS * 10**9)
    lines = []
    for name in GROUPS:
        events = merged(timeline.group(name), COLUMNS)
        if any(events):
            lines.append((name, sparkline(events), f"{human_count(round(max(events) / column))}/s"))
    for mode in MODES:
        times = merged(timeline.times[mode].tolist(), COLUMNS)
        share = round(100 * max(times) / (column * 10**9 * vcpus))
        lines.append((_MODE_NAMES[mode], sparkline(times), f"{min(share, 100)} %"))
    head = f"Over time; a column is {human_seconds(column)}, and the number is that of the highest"
    ruler = f"{'':{_LABEL}} {'0':<{COLUMNS - 12}}{_time(length):>12}"
    return "\n".join([head, *(f"{name:<{_LABEL}} {bars} {most}" for name, bars, most in lines), ruler])


def merged(values: Sequence[int], parts: int) -> list[int]:
    """Return the values of a timeline in fewer parts.

    >>> merged([1] * 240, 60)[:2]
    [4, 4]
    """
    width = BINS // parts
    return [sum(values[first : first + width]) for first in range(0, BINS, width)]


def sparkline(values: Sequence[int]) -> str:
    """Return bars of eight heights, the highest for the greatest value; nothing is a space, and little shows.

    >>> sparkline([0, 1, 400, 800])
    ' ▁▄█'
    """
    most = max(values) or 1
    return "".join(_BARS[-(-len(_BARS) * value // most) - 1] if value else " " for value in values)


def _data(title: str, summary: Summary) -> dict[str, Any]:
    header, timeline = summary.header, summary.timeline
    return {
        "title": title,
        "vcpus": header.vcpus,
        "recorded_ns": header.recorded_ns,
        "rows": summary.rows,
        "waits": summary.waits,
        "events": dict(_most(summary.events)),
        **summary.times,
        "cpus": [{"rows": cpu.rows, "events": cpu.events, **cpu.times} for cpu in summary.cpus],
        "computation_ns_by_task": {name: sum(times.values()) for name, times in _by_task(summary).items()},
        "tasks": _by_task(summary),
        "spaces": {
            str(number): {name: getattr(space, name) for name in space.__slots__}
            for number, space in sorted(summary.spaces.items())
        },
        "devices": {
            name: {"events": dict(_most(device.events)), "bytes": device.bytes}
            for name, device in sorted(summary.devices.items())
        },
        "timeline": None if timeline is None else _timeline_data(timeline),
        "provenance": dict(header.provenance),
        "history": list(header.history),
    }


def _timeline_data(timeline: Timeline) -> dict[str, Any]:
    times = {mode: values.tolist() for mode, values in timeline.times.items()}
    return {"edges_ns": timeline.edges.tolist(), "events": timeline.by_name(), **times}
