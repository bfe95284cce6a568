"""Generators: what they lay out, that they repeat, and that samplers have the mean and variance of their law."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import K

from simulator.events import BY_CODE
from simulator.spec.build import load_experiment, load_workload
from simulator.spec.workload import WorkloadSpec
from simulator.stream import ASYNCHRONOUS, BLOCKING, Batch, content_hash
from simulator.workload.arrivals import Gap
from simulator.workload.batches import joined
from simulator.workload.synthetic import SyntheticStream


def synthetic(events: list[dict[str, Any]], seed: int = 1, title: str = "t", **more: Any) -> SyntheticStream:
    spec = WorkloadSpec.model_validate({"document": "workload", "title": title, "events": events, **more})
    return spec.synthetic(seed)


def rows(stream: SyntheticStream, vcpu: int = 0) -> Batch:
    return joined(list(stream.batches(vcpu)))


def kinds(stream: SyntheticStream) -> list[str]:
    return [BY_CODE[code].name for code in rows(stream).columns["kind"].tolist()]


def test_a_sequence_with_repeats() -> None:
    stream = synthetic(
        [{"syscall": 3}, {"repeat": {"times": 2, "events": [{"user_compute": "10 us"}, {"pte_set": {"page": 4}}]}}]
    )
    assert kinds(stream) == ["syscall", "user_compute", "pte_set", "user_compute", "pte_set"]
    assert rows(stream).column("count").tolist() == [3, 1, 1, 1, 1]
    assert rows(stream).column("user_ns").tolist() == [0, 10_000, 0, 10_000, 0]
    assert rows(stream).column("page").tolist() == [-1, -1, 4, -1, 4]


@pytest.mark.parametrize("times", [1, 65_535, 65_536, 65_537, 200_000])
def test_repeats_of_any_size(times: int) -> None:
    stream = synthetic([{"repeat": {"times": times, "events": [{"syscall": 1}]}}])
    assert sum(len(batch) for batch in stream.batches(0)) == stream.rows() == times


def test_requests_and_halts() -> None:
    stream = synthetic(
        [
            {"disk_request": {"device": "disk", "size": "4 KiB", "blocking": True}},
            {"network_request": {"device": "net", "blocking": False}},
            {"halt": 1},
        ]
    )
    assert stream.header.devices == ("disk", "net")
    assert rows(stream).column("completion").tolist() == [BLOCKING, ASYNCHRONOUS, BLOCKING]
    assert rows(stream).column("size").tolist() == [4096, 0, -1]


def test_a_mix_by_count_is_shuffled_and_exact() -> None:
    stream = synthetic([{"mix": {"counts": {"syscall": 700, "page_fault": 300}}}])
    drawn = kinds(stream)
    assert (drawn.count("syscall"), drawn.count("page_fault")) == (700, 300)
    assert drawn != sorted(drawn) and drawn != sorted(drawn, reverse=True)


def test_the_same_seed_gives_the_same_rows_and_another_others() -> None:
    events = [{"arrivals": {"during": "20 ms", "rates": {"syscall": "50 kHz", "page_fault": "10 kHz"}}}]
    first = content_hash(synthetic(events))
    assert content_hash(synthetic(events)) == first
    assert content_hash(synthetic(events, seed=2)) != first
    assert content_hash(synthetic(events, title="other")) != first


def test_virtual_cpus_draw_their_own_numbers() -> None:
    spec = {"arrivals": {"count": 50, "rates": {"syscall": "50 kHz"}}}
    stream = WorkloadSpec.model_validate(
        {"document": "workload", "title": "t", "vcpus": [{"events": [spec], "copies": 2}, {"events": [{"syscall": 1}]}]}
    ).synthetic(1)
    assert stream.header.vcpus == 3
    assert rows(stream, 0).column("user_ns").tolist() != rows(stream, 1).column("user_ns").tolist()


def test_arrivals_fill_their_duration_exactly() -> None:
    stream = synthetic([{"arrivals": {"during": "1 s", "rates": {"syscall": "200 kHz"}, "mode": "kernel"}}])
    assert sum(int(batch.column("kernel_ns").sum()) for batch in stream.batches(0)) == 10**9
    count = sum(int((batch.columns["kind"] == K["syscall"]).sum()) for batch in stream.batches(0))
    assert abs(count - 200_000) < 5 * 200_000**0.5, "a Poisson count has the square root of its mean as deviation"


def test_arrivals_keep_the_ratio_of_their_rates() -> None:
    drawn = kinds(synthetic([{"arrivals": {"count": 100_000, "rates": {"syscall": "3 kHz", "page_fault": "1 kHz"}}}]))
    expected, deviation = 75_000, (100_000 * 0.75 * 0.25) ** 0.5
    assert abs(drawn.count("syscall") - expected) < 5 * deviation


@pytest.mark.parametrize(("distribution", "variance"), [("exponential", 1.0), ("uniform", 1 / 3)])
@pytest.mark.parametrize("mean", [10_000, 2])
def test_samplers_against_their_law(distribution: Any, variance: float, mean: int) -> None:
    """Mean m and variance m² (exponential) or m²/3 (uniform on 0 to 2m), within five standard errors.

    Arrivals are rounded down to whole nanoseconds: that leaves the mean alone, and adds at most 1/4 to the variance.
    """
    number = 200_000
    draws, _ = Gap(Fraction(mean), distribution).draw(np.random.default_rng(3), number)
    deviation = mean * variance**0.5
    assert abs(draws.mean() - mean) < 5 * deviation / number**0.5
    assert abs(draws.var() - deviation**2) < 0.25 + 5 * deviation**2 * (8 / number) ** 0.5


def test_rounding_leaves_the_sum_of_exponential_gaps_alone() -> None:
    random, reference = np.random.default_rng(3), np.random.default_rng(3)
    gap, fraction, total = Gap(Fraction(1)), 0.0, 0
    for _ in range(10):
        draws, fraction = gap.draw(random, 1000, begin=fraction)
        total += int(draws.sum())
    assert abs(total + fraction - reference.exponential(1.0, 10_000).sum()) < 1e-6


@pytest.mark.parametrize("number", [3000, 1_000_000])
def test_constant_gaps_do_not_drift(number: int) -> None:
    stream = synthetic([{"arrivals": {"count": number, "rates": {"syscall": "300 MHz"}, "gaps": "constant"}}])
    gaps = np.concatenate([batch.column("user_ns") for batch in stream.batches(0)])
    assert gaps.sum() == number * 10 // 3
    assert set(gaps.tolist()) == {3, 4}


def test_rates_that_no_clock_of_nanoseconds_can_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1 GHz"):
        synthetic([{"arrivals": {"during": "1 us", "rates": {"syscall": "5 GHz"}, "gaps": "uniform"}}])


def test_a_label_has_no_part_in_what_is_drawn(tmp_path: Path) -> None:
    """The same document and seed give the same rows under any label, and when it is shown by itself."""
    arriving = {"arrivals": {"during": "2 ms", "rates": {"syscall": "50 kHz"}}}
    workload = {"document": "workload", "title": "t", "events": [arriving]}
    (tmp_path / "w.yaml").write_text(json.dumps(workload))
    labels = {"one": "w.yaml", "other": "w.yaml"}
    model = "pentium4-672/native"
    experiment = {"document": "experiment", "title": "t", "workloads": labels, "models": [model]}
    (tmp_path / "e.yaml").write_text(json.dumps(experiment))
    streams = [each.stream for each in load_experiment(tmp_path / "e.yaml").workloads.values()]
    streams.append(load_workload(tmp_path / "w.yaml")[1].stream)
    assert len(set(map(content_hash, streams))) == 1
