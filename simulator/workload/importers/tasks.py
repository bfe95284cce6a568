"""The tasks of a recording: known by number while they live, by name and by what must stay known of them afterwards."""

from __future__ import annotations

import sys

from simulator.workload.importers.address_spaces import Task


class Tasks:
    """Finds tasks by number, and forgets the dead, so that memory does not grow with all that ever ran.

    ``names`` has the latest name of every task by number.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._living: dict[int, Task] = {}
        self._dead_users: set[int] = set()

    def find(self, tid: int, comm: str) -> Task:
        """Return the task of a number; one that is not known gets the name ``comm``."""
        return self._living.get(tid) or self.make(tid, comm)

    def known(self, tid: int) -> Task | None:
        """Return the task of a number, if there is one that is not dead."""
        return self._living.get(tid)

    def make(self, tid: int, comm: str) -> Task:
        """Make a task; one that had its number before is forgotten."""
        self._dead_users.discard(tid)
        task = self._living[tid] = Task(tid, tid, comm)
        self.names[tid] = sys.intern(comm)
        return task

    def rename(self, task: Task, comm: str) -> None:
        """Give a task another name."""
        task.comm = comm
        self.names[task.tid] = sys.intern(comm)

    def bury(self, task: Task) -> None:
        """Forget a task that has ended, but for its name and whether it ran in user mode."""
        if self._living.get(task.tid) is task:
            del self._living[task.tid]
            if task.seen_in_user_mode:
                self._dead_users.add(task.tid)

    def users(self) -> list[int]:
        """Return the numbers of all tasks that ran in user mode."""
        return [*self._dead_users, *(task.tid for task in self._living.values() if task.seen_in_user_mode)]
