"""``perf record`` at work: it is started switched off, switched on and off as told, and its text is read back.

It runs in a session of its own, so that an interrupt from the keyboard reaches the recorded command and us, not it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from simulator.errors import RecordError, RunError
from simulator.workload.recorder.permissions import explain_failure
from simulator.workload.recorder.tracepoints import scheduling

FIELDS = "comm,pid,tid,cpu,time,event,trace"
_SECONDS_TO_ANSWER = 30


class Perf:
    """One run of ``perf record`` on all CPUs, into ``data``; time stamps are those of CLOCK_MONOTONIC.

    Use it as a context: whatever happens, no process stays behind.
    """

    def __init__(self, perf: str, tracepoints: Sequence[str], data: Path, buffer: str) -> None:
        self.perf = perf
        self.data = data
        self._said = data.with_suffix(".stderr")
        self._tracepoints = tracepoints
        self._buffer = buffer
        self._process: subprocess.Popen[bytes] | None = None
        self._control = self._answers = -1

    def __enter__(self) -> Perf:
        """Start perf; nothing is recorded yet."""
        orders, self._control = os.pipe()
        self._answers, answer = os.pipe()
        try:
            with self._said.open("wb") as said:
                self._process = subprocess.Popen(
                    self._command(orders, answer),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    pass_fds=(orders, answer),
                    start_new_session=True,
                )
        finally:
            os.close(orders)
            os.close(answer)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._control)
        os.close(self._answers)

    def _command(self, orders: int, answer: int) -> list[str]:
        scheduler = scheduling(self._tracepoints)
        others = [name for name in self._tracepoints if name not in scheduler]
        return [
            *(
                self.perf,
                "record",
                "--all-cpus",
                "--output",
                str(self.data),
                "--mmap-pages",
                self._buffer,
                "--delay=-1",
            ),
            *("--clockid", "CLOCK_MONOTONIC", f"--control=fd:{orders},{answer}"),
            *("--event", ",".join(scheduler), "--event", ",".join(others), "--exclude-perf"),
        ]

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def switch(self, on: bool) -> None:
        """Begin or stop to record.

        Raises:
            RecordError: perf has ended, or does not answer.
        """
        try:
            os.write(self._control, b"enable\n" if on else b"disable\n")
        except BrokenPipeError:
            raise RecordError(explain_failure(self._last_words())) from None
        ready, _, _ = select.select([self._answers], [], [], _SECONDS_TO_ANSWER)
        if not ready or not os.read(self._answers, 64):
            raise RecordError(explain_failure(self._last_words()))

    def _last_words(self) -> str:
        assert self._process is not None
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "nothing, and does not answer"
        return self._said.read_text(errors="replace")

    def end(self) -> None:
        """Let perf write what it has, and end.

        Raises:
            RunError: it leaves no file.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        if not self.data.is_file() or not self.data.stat().st_size:
            raise RunError(f"perf record left no recording: {self._last_words().strip()[:300]}")

    def text(self) -> Iterator[str]:
        """Give the lines of the recording, without newlines, those that tell of lost events among them.

        Raises:
            RunError: ``perf script`` failed.
        """
        command = [*(self.perf, "script", "--input", str(self.data), "--ns", "--show-lost-events", "--fields", FIELDS)]
        with self._said.open("wb") as said, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process:
            yield from _lines(process.stdout)
        if process.returncode:
            raise RunError(f"perf script failed: {self._said.read_text(errors='replace').strip()[:300]}")


def _lines(file: IO[bytes] | None) -> Iterator[str]:
    assert file is not None
    for line in file:
        yield line.decode("utf-8", errors="backslashreplace").rstrip("\n")
