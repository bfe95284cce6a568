"""Executors: the same results in this process, in others, and on a cluster; what fails, fails alone."""

from __future__ import annotations

import os
from concurrent.futures import Executor

import pytest

from simulator import executors
from simulator.errors import InputError, RunError
from simulator.executors import InProcess, Where, carried_out


def double(n: int) -> int:
    if n < 0:
        raise RunError(f"{n} is below 0")
    return 2 * n


def end_the_process(n: int) -> int:
    os._exit(n)


WHERES = [Where("in-process"), Where("auto"), Where("auto", 2), Where("processes", 1), Where("processes", 2)]


@pytest.mark.parametrize("where", WHERES, ids=lambda where: f"{where.kind}-{where.jobs}")
def test_every_task_is_done_once(where: Where) -> None:
    found = {index: future.result() for index, future in carried_out(double, range(20), where)}
    assert found == {n: 2 * n for n in range(20)}


@pytest.mark.parametrize("where", [Where("in-process"), Where("processes", 2)], ids=lambda where: where.kind)
def test_a_task_that_fails_is_told_and_the_others_go_on(where: Where) -> None:
    found = {index: future.exception() for index, future in carried_out(double, [1, -1, 2], where)}
    assert found[0] is found[2] is None
    assert isinstance(found[1], RunError)
    assert str(found[1]) == "-1 is below 0"


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(RunError, match="a worker process ended in the middle of its work"):
        list(carried_out(end_the_process, [1, 2], Where("processes", 1)))


def test_in_process_work_stops_when_nobody_asks_for_more() -> None:
    done: list[int] = []
    for index, _ in carried_out(done.append, range(100), Where("in-process")):
        if index == 2:
            break
    assert done == [0, 1, 2]


def test_a_little_work_stays_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it pays hangs on what it takes: with a start-up that takes for ever it never does, with none it does."""
    assert {future.result() for _, future in carried_out(_process, range(4), Where("auto"))} == {os.getpid()}
    monkeypatch.setattr(executors, "START_UP_SECONDS", -1.0)
    found = [future.result() for _, future in carried_out(_process, range(4), Where("auto", None))]
    if Where("auto").processes > 1:
        assert os.getpid() not in found


def _process(_: int) -> int:
    return os.getpid()


def test_in_process_is_an_executor() -> None:
    with InProcess() as executor:
        assert isinstance(executor, Executor)
        assert list(executor.map(double, [1, 2])) == [2, 4]


def test_dask_needs_an_address() -> None:
    with pytest.raises(InputError, match="--scheduler tcp://HOST:8786"):
        list(carried_out(double, [1], Where("dask")))
