"""The values of sweeps: lists and ranges as text, in exact decimals."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SpecError
from simulator.spec.ranges import parse_values
from simulator.spec.sweep import SweepSpec, coordinates, sweep_of
from simulator.units import split_quantity


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3", ("3",)),
        ("500 cycles, 1 kcycles", ("500 cycles", "1 kcycles")),
        ("native, software-vmm", ("native", "software-vmm")),
        ("100..300 cycles step 100", ("100 cycles", "200 cycles", "300 cycles")),
        ("0..1 us step 0.3 us", ("0 us", "0.3 us", "0.6 us", "0.9 us")),
        ("1 .. 9 in 5", ("1", "3", "5", "7", "9")),
        ("0.001..1000 cycles in 7 log", tuple(f"{Decimal(10) ** p:f} cycles" for p in range(-3, 4))),
        ("1e3..2e3 Hz in 2", ("1000 Hz", "2000 Hz")),
        ("10..11 in 2", ("10", "11")),
        ("1.0..2.0 in 3", ("1", "1.5", "2")),
    ],
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    assert parse_values(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty one"),
        ("1,,2", "found an empty one"),
        ("1, 2, 1", "the value 1 stands twice"),
        ("5..1 in 3", "expected a range from low to high, found 5..1"),
        ("1..5", "expected values such as '1, 2, 3 cycles'"),
        ("0..5 in 3 log", "expected a low end above 0 for a logarithmic range, found 0"),
        ("1..5 in 1", "two values or more"),
        ("1..3 in 9", "expected fewer values: between 1 and 3, which have no unit and no point, all are whole numbers"),
        ("1.001..1.003 us in 9", "stands twice: take fewer values, or write more digits"),
        ("1 us..5 ms in 3", "expected one unit for both ends, found 'us' and 'ms'"),
        ("1..5 step 0", "expected a step above 0"),
        ("1..9 in 9999999", "expected at most 1,000,000 values"),
        ("a..b in 3", "expected a number, and its unit"),
    ],
)
def test_what_is_no_range_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_values(text)


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(2, 50), st.booleans())
def test_ranges_begin_and_end_at_their_ends_and_grow(low: int, more: int, number: int, log: bool) -> None:
    low += log
    text = f"{low}..{low + more}.5 cycles in {number}{' log' * log}"
    try:
        values = [split_quantity(value)[0] for value in parse_values(text)]
    except ValueError as error:
        assert "stands twice" in str(error)
        return
    assert len(values) == number
    assert values[0] == low
    assert values[-1] == Decimal(low + more) + Decimal("0.5")
    assert values == sorted(values)
    for i, value in enumerate(values):
        if not log:
            assert abs(value - (low + (more + Decimal("0.5")) * i / (number - 1))) <= Decimal("0.0005")
        elif 0 < i < number - 1:
            assert value**2 == pytest.approx(values[i - 1] * values[i + 1], rel=Decimal("0.01")) or low < 100


def test_a_grid_and_a_zip() -> None:
    grid = sweep_of({"a": "1, 2", "b": "x, y, z"}, "grid")
    assert list(coordinates(grid)) == [("1", "x"), ("1", "y"), ("1", "z"), ("2", "x"), ("2", "y"), ("2", "z")]
    zipped = sweep_of({"a": "1, 2", "b": "x, y"}, "zip")
    assert list(coordinates(zipped)) == [("1", "x"), ("2", "y")]
    with pytest.raises(ValueError, match="expected as many values of each path for zip, found 2 of a, 3 of b"):
        coordinates(sweep_of({"a": "1, 2", "b": "x, y, z"}, "zip"))
    with pytest.raises(ValueError, match="expected at most 1,000,000 points, found 2,000,000"):
        coordinates(sweep_of({"a": "1..2000 in 2000", "b": "1..1000 in 1000"}, "grid"))


def test_what_is_wrong_is_said_of_each_path() -> None:
    with pytest.raises(SpecError) as caught:
        sweep_of({"a": "1..", "b": "1", "c": ""}, "grid")
    assert [fault.path for fault in caught.value.faults] == ["a", "c"]


def test_yaml_lists_and_ranges() -> None:
    spec = SweepSpec.model_validate(
        {"over": {"a": [1, Decimal("0.50"), "2 us"], "b": "1..3 in 3", "c": [True], "d": 7}}
    )
    assert spec.over == {"a": ("1 us", "0.50 us", "2 us"), "b": ("1", "2", "3"), "c": ("true",), "d": ("7",)}
