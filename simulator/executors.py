"""Where work is done: in this process, in processes on this machine, or on a Dask cluster; the results are the same.

All three stand behind the standard library's ``concurrent.futures.Executor``. Processes are spawned, not forked: the
threads of Arrow and numba make a fork unsafe. Each has to import the program first, so that a little work is done
faster here; unless told how many processes to use, ``carried_out`` measures the first tasks and decides.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, Literal, ParamSpec, TypeVar

from simulator.errors import InputError, RunError, install

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

Kind = Literal["auto", "in-process", "processes", "dask"]

START_UP_SECONDS = 1.5
"""About what it takes until spawned processes have imported the program: 0.4 s for one and 0.8 s for two, measured on
an idle machine with 2 CPUs, and more on a busy one."""

NO_SCHEDULER = "the executor dask needs the address of a scheduler: --scheduler tcp://HOST:8786"

_IN_FLIGHT = 4  # tasks handed out for each worker: enough to keep it busy, few enough to stop soon


@dataclass(frozen=True, slots=True)
class Where:
    """Where to work.

    ``auto``: in this process, and in ``jobs`` processes as soon as what is left is worth their start. ``jobs`` is the
    number of processes, by default that of the CPUs that this process may use. ``scheduler`` is the address of a Dask
    scheduler.
    """

    kind: Kind = "auto"
    jobs: int | None = None
    scheduler: str = ""

    @property
    def processes(self) -> int:
        """How many processes to start."""
        return self.jobs or len(os.sched_getaffinity(0))

    def pays(self, seconds: float, busy: float, times: float, tasks: int, lost: float = 0.0) -> bool:
        """Tell whether the rest of some work, which is so many tasks, is worth the start of processes.

        It is where that was asked for. Else what they save has to be more than their start takes and what is ``lost``,
        being done anew. What was done took ``seconds`` of the clock and ``busy`` seconds of processors, for threads
        may have had several; the rest is ``times`` as much.
        """
        workers = min(self.processes, tasks)
        if workers < 2:
            return False
        if self.jobs is not None:
            return True
        return times * max(0.0, seconds - busy / workers) > START_UP_SECONDS + lost


class InProcess(Executor):
    """Does each task as it is submitted, in this process."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Do the task, and return a future that is done."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 (a future holds whatever went wrong for whoever asks it)
            future.set_exception(error)
        return future


def carried_out(
    work: Callable[[T], R], tasks: Sequence[T], where: Where | None = None
) -> Iterator[tuple[int, Future[R]]]:
    """Do all tasks; yield the index of each with its future, which is done, in the order in which they end.

    The work must be a function of a module, and tasks and results must pickle. No more tasks are begun once the caller
    stops asking.

    Raises:
        InputError: no scheduler is at the address, or Dask is not installed.
        RunError: a worker process ended in the middle of its work.
    """
    where, first = where or Where(), 0
    if where.kind == "auto":
        here, begin, busy = InProcess(), time.perf_counter(), time.process_time()
        while first < len(tasks):
            left = len(tasks) - first
            seconds, used = time.perf_counter() - begin, time.process_time() - busy
            if where.pays(seconds, used, left / first if first else 0.0, left):
                break
            yield first, here.submit(work, tasks[first])
            first += 1
    if first < len(tasks):
        with opened(where) as (executor, workers):
            yield from _handed_out(executor, workers, work, tasks, first)


def _handed_out(
    executor: Executor, workers: int, work: Callable[[T], R], tasks: Sequence[T], first: int
) -> Iterator[tuple[int, Future[R]]]:
    waiting = deque(range(first, len(tasks)))
    under_way: dict[Future[R], int] = {}
    try:
        while waiting or under_way:
            while waiting and len(under_way) < _IN_FLIGHT * workers:
                index = waiting.popleft()
                future = executor.submit(work, tasks[index])
                under_way[future] = index
                if future.done():
                    break
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=under_way.__getitem__):
                _check(future)
                yield under_way.pop(future), future
    except BrokenExecutor:
        raise RunError(
            "a worker process ended in the middle of its work: was it killed, or out of memory? What was done is kept; "
            "start again to go on, with fewer --jobs if memory is short"
        ) from None


def _check(future: Future[Any]) -> None:
    """Refuse a task that was lost with whoever did it.

    Raises:
        RunError: a Dask cluster gave it up.
        BrokenExecutor: a process of this machine ended.
    """
    error = None if future.cancelled() else future.exception()
    if isinstance(error, BrokenExecutor):
        raise BrokenExecutor
    if future.cancelled() or type(error).__module__.partition(".")[0] == "distributed":
        why = f": {error}" if error else ""
        raise RunError(f"the Dask cluster lost a replay{why}. What was done is kept; start again to go on")


@contextmanager
def opened(where: Where) -> Iterator[tuple[Executor, int]]:
    """Give an executor, and the number of its workers; what is not begun when the caller leaves is not begun.

    Raises:
        InputError: no scheduler is at the address, or Dask is not installed.
    """
    executor, workers = _open(where)
    try:
        yield executor, workers
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _open(where: Where) -> tuple[Executor, int]:
    match where.kind:
        case "in-process":
            return InProcess(), 1
        case "dask":
            return _cluster(where.scheduler)
        case "auto" | "processes":
            workers = where.processes
            return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker), workers


def _begin_worker() -> None:
    """Let a worker process end when its parent does, however that ends, and without a word when interrupted."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker process has a parent"
    parent.join()
    os._exit(1)


def _cluster(address: str) -> tuple[Executor, int]:
    """Connect to a Dask scheduler; the tasks of workers that die are done by others."""
    if not address:
        raise InputError(NO_SCHEDULER)
    try:
        distributed: Any = import_module("distributed")
    except ModuleNotFoundError:
        raise InputError(f"Dask is not installed; in the checkout: {install('dask')}") from None
    try:
        client = distributed.Client(address, timeout=5, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address}: {error}") from None
    return _DaskExecutor(client), max(1, sum(client.nthreads().values()))


class _DaskExecutor(Executor):
    """A Dask cluster; each task is done by whichever worker is free, and done again if that one dies."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Hand the task to the scheduler."""
        future: Future[R] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 (as the base has it)
        """Leave the cluster; it goes on without us."""
        self._executor.shutdown(wait=wait)
        self._client.close()
