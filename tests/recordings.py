"""Recordings as a recorder would see them, for the laws of replays."""

from __future__ import annotations

from hypothesis import strategies as st
from support import K

HOST = {K["syscall"]: 7, K["page_fault"]: 30, K["disk_request"]: 11, K["wake"]: 0}
COSTS = {"syscall": "7 ns", "page_fault": "30 ns", "disk_request": "11 ns", "wake": "0 ns"}


@st.composite
def recordings(draw: st.DrawFn) -> list[list[dict[str, int]]]:
    """Two virtual CPUs as a recorder would see them: gaps of at least the cost before, waits that were met on time."""
    now = [0, 0]
    vcpus: list[list[dict[str, int]]] = [[], []]
    signals: dict[int, int] = {0: 0}
    owed = [0, 0]
    for number in range(1, draw(st.integers(2, 30))):
        cpu = draw(st.integers(0, 1))
        kind = draw(st.sampled_from(sorted(HOST)))
        gap = draw(st.integers(0, 50))
        compute = owed[cpu] + gap if gap else 0  # without a gap: another event of the same moment
        row = {"kind": kind, "kernel_ns": compute}
        ready = now[cpu] + compute
        if compute and draw(st.booleans()):
            signal = draw(st.sampled_from(sorted(signals)))
            latency = draw(st.integers(0, 40))
            begin = max(ready, signals[signal] + latency)
            row |= {"waits": signal, "wait_latency_ns": latency, "idle_ns": begin - ready}
            ready = begin
        if draw(st.booleans()):
            delay = HOST[kind] + (0 if compute else owed[cpu]) + draw(st.integers(0, 60))
            row |= {"posts": number, "post_delay_ns": delay}
            signals[number] = ready + delay
        now[cpu] = ready
        owed[cpu] = HOST[kind] + (0 if compute else owed[cpu])
        vcpus[cpu].append(row)
    return [vcpu or [{"kind": K["wake"]}] for vcpu in vcpus]
