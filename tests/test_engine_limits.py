"""Where the fast engine comes to its limits, or its stream fails, it says so, and its outcomes are still the reference's."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from support import K, cost_table, simple_model, stream
from test_engine_equality import FAST, REFERENCE, shipped

from simulator.engine.base import Replay
from simulator.engine.compiled import jit
from simulator.engine.compiled.walker import CompiledMechanisms
from simulator.engine.shared import MOST_HELD, SharedStream
from simulator.errors import ModelError, RunError, StreamError
from simulator.mechanisms import BY_NAME as MECHANISMS
from simulator.model import CostModel
from simulator.stream import Batch, Header, MemoryStream, ParquetStream, write_parquet

HARDWARE, SOFTWARE = "pentium4-672/hardware-vmm", "pentium4-672/software-vmm"
Row = dict[str, int]


def plain_instead(
    caplog: pytest.LogCaptureFixture, rows: list[list[Row]], model: CostModel, cuts: list[int], why: str
) -> None:
    """The compiled engine says why it takes the plain way, and comes to the outcome of the reference."""
    events = stream(*rows, cuts=cuts)
    with caplog.at_level(logging.WARNING):
        assert FAST["compiled"].run(Replay(events, model)) == REFERENCE.run(Replay(events, model))
    assert why in caplog.text


def test_a_clock_beyond_64_bits_ends_in_the_outcome_of_the_reference(caplog: pytest.LogCaptureFixture) -> None:
    per_ns = 3800
    rows: list[Row] = [
        {"kind": K["syscall"], "user_ns": int(0.45 * 2**62 / per_ns)},
        {"kind": K["touch"], "page": 7, "user_ns": int(0.6 * 2**62 / per_ns)},
    ]
    plain_instead(caplog, [rows, rows], shipped(HARDWARE), [1], "may not fit 64 bits")


def structured(name: str, mechanism: str, **parameters: object) -> CostModel:
    """A shipped model with other parameters of one of its mechanisms."""
    model = shipped(name)
    changed: Any = {**model.mechanisms[mechanism].model_dump(), **parameters}
    return replace(model, mechanisms={**model.mechanisms, mechanism: MECHANISMS[mechanism].schema(**changed)})


@pytest.mark.parametrize(
    "row",
    [
        {"kind": K["kernel_code"], "site": 1, "size": 2**44},
        {"kind": K["touch"], "page": 2**63 - 2, "space": 1, "count": 9},
        {"kind": K["tlb_flush_page"], "page": 2**62, "space": 1, "count": 3},
        {"kind": K["kernel_code"], "site": 2**63 - 1, "size": 5},
        {"kind": K["page_fault"], "count": 2**61},
    ],
    ids=["instructions", "pages", "flushed pages", "sites", "events"],
)
def test_numbers_that_may_not_fit_take_the_plain_way(caplog: pytest.LogCaptureFixture, row: Row) -> None:
    model = structured(SOFTWARE, "translation_cache", capacity=2**45)
    plain_instead(caplog, [[row]], model, [], "may not fit 64 bits")


def test_counts_are_bounded_over_the_whole_replay(caplog: pytest.LogCaptureFixture) -> None:
    free = replace(shipped(HARDWARE), costs=free_of_cost(shipped(HARDWARE)))
    rows: list[Row] = [{"kind": K["tlb_miss"], "count": 2**61 - 1}] * 3
    plain_instead(caplog, [rows], free, [1, 2], "may not fit 64 bits")


def free_of_cost(model: CostModel) -> Any:
    """The costs of a model, each nothing."""
    return cost_table(dict.fromkeys(model.costs.entries, "0 cycles"), 3800)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize(
    "row", [{"kind": K["syscall"], "user_ns": 20 * 10**9}, {"kind": K["touch"], "page": 3, "count": 40_000}]
)
def test_one_large_row_among_many_small_ones_is_no_reason_for_the_plain_way(
    engine: str, row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds are sums, not the largest row times the number of rows."""
    model = shipped(HARDWARE)
    rows: list[Row] = [row, *([{"kind": K["syscall"]}] * 60_000)]
    monkeypatch.setattr("simulator.engine.vcpu.VirtualCpu._full_row", _refused)
    assert FAST[engine].run(Replay(stream(rows), model)).busy > 0


def _refused(*_: object) -> Iterator[None]:
    raise AssertionError("taken row by row")


def test_clearing_many_entries_takes_no_memory_for_each() -> None:
    mechanisms = CompiledMechanisms(shipped(HARDWARE).start(), 1)
    batch = stream([{"kind": K["pte_clear"], "page": 5, "space": 1, "count": 3_000_000}]).rows[0][0]
    walker = mechanisms.walker(batch, None, 0, ahead=True)  # type: ignore[arg-type]  # prices are in the program
    walker.walk(0, 2, None)
    assert len(mechanisms.memory) < 3_000_000 / 4


def test_a_memory_that_is_too_small_is_no_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("simulator.engine.compiled.walker.grown", full)
    plain_instead(caplog, [[{"kind": K["touch"], "page": 3, "count": 50_000}]], shipped(HARDWARE), [], "no memory for")


def test_more_shadows_than_keys_tell_apart_take_the_plain_way(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.engine.compiled.layout.SLOT_BITS", 9)
    rows: list[Row] = [{"kind": K["pte_set"], "page": 3, "space": space} for space in range(1, 600)]
    plain_instead(caplog, [rows], shipped(SOFTWARE), [], "too many for the compiled kernel")


@dataclass(frozen=True)
class Damaged:
    """A stream whose second batch cannot be read."""

    header: Header

    def batches(self, vcpu: int) -> Iterator[Batch]:
        yield stream([{"kind": K["syscall"]}] * 3).rows[0][0]
        raise StreamError("the second batch is damaged")


@pytest.mark.parametrize("engine", FAST)
def test_a_stream_that_fails_fails_for_every_model(engine: str) -> None:
    models = [shipped(HARDWARE), shipped(SOFTWARE), shipped("pentium4-672/native")]
    found = FAST[engine].run_all([Replay(Damaged(Header("damaged")), model) for model in models])
    assert list(map(str, found)) == ["the second batch is damaged"] * 3


def test_a_model_that_cannot_begin_leaves_the_others_alone() -> None:
    """A timer tick that takes longer than its period; a model without a cost for what it does."""
    slow = simple_model({"interrupt": "90 us", "interrupt_completion": "20 us", "syscall": "1 us"}, name="slow")
    quick = simple_model({"interrupt": "1 us", "interrupt_completion": "1 us", "syscall": "1 us"}, name="quick")
    costless = replace(quick, name="costless", costs=replace(quick.costs, entries={}))
    events = stream([{"kind": K["syscall"]}] * 9)
    replays = [Replay(events, model, Fraction(10_000)) for model in (slow, costless, quick)]
    for engine in (REFERENCE, *FAST.values()):
        found = engine.run_all(replays)
        assert isinstance(found[0], RunError)
        assert isinstance(found[1], ModelError)
        assert found[2] == engine.run(replays[2])


def test_columns_that_nobody_needs_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "right.parquet"
    write_parquet(stream([{"kind": K["syscall"], "page": 3, "count": 2}] * 4), path)
    assert [set(batch.columns) for batch in ParquetStream.open(path).narrowed({"kind", "count"}).batches(0)] == [
        {"kind", "count"}
    ]


def in_batches(batches: int, vcpus: int) -> MemoryStream:
    """A stream of so many batches on each virtual CPU; each says in its counts which one it is."""
    rows = [[stream([{"kind": K["syscall"], "count": 1 + i}]).rows[0][0] for i in range(batches)]] * vcpus
    return MemoryStream(Header("many", vcpus=vcpus), rows)


def test_a_reader_left_behind_reads_by_itself_and_nothing_more_is_held_for_it() -> None:
    shared = SharedStream(in_batches(5 * MOST_HELD, 1), 2)
    slow, quick = shared.batches(0, 1), shared.batches(0, 0)
    taken = [next(slow)[0].total("count") for _ in range(3)]
    for _ in range(4 * MOST_HELD):
        next(quick)
        assert len(shared._lanes[0].held) <= MOST_HELD
    taken += [batch.total("count") for batch, _ in slow]
    assert taken == [1 + i for i in range(5 * MOST_HELD)]
    assert [batch.total("count") for batch, _ in quick] == taken[4 * MOST_HELD :]


_WITHOUT_NUMBA = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from support import K, stream
from simulator.engine import ENGINES
from simulator.engine.base import Replay
from simulator.spec.build import load_model
from simulator.spec.library import find
model = load_model(find("pentium4-672/hardware-vmm", "cost-model", Path()))[1]
replay = Replay(stream([{"kind": K["touch"], "page": i % 7} for i in range(300)]), model, rows=10**6)
for _ in range(2):
    assert ENGINES["fast"].run(replay) == ENGINES["reference"].run(replay)
"""


@pytest.mark.parametrize("wrong", ["raise ImportError('numba needs another numpy')", "raise RuntimeError('broken')"])
def test_a_numba_that_does_not_import_is_done_without(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text(wrong)
    command = [sys.executable, "-c", _WITHOUT_NUMBA, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("numba does not work, so nothing is compiled") == 1


def test_progress_counts_each_row_once_though_a_replay_begins_again() -> None:
    rows: list[Row] = [{"kind": K["touch"], "page": 3}] * 40 + [{"kind": K["touch"], "page": 2**63 - 1}]
    told: list[int] = []
    FAST["compiled"].run(Replay(stream(rows, cuts=[10, 20, 30]), shipped(HARDWARE)), told.append)
    assert sum(told) == len(rows)
    assert min(told) > 0


def test_what_numba_compiles_elsewhere_is_kept_where_it_always_was() -> None:
    before = jit.config.CACHE_DIR
    assert jit.compiled(_one) is not None
    assert before == jit.config.CACHE_DIR
    assert "vmmsim" not in str(before)


def _one() -> int:
    return 1
