from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import units
from simulator.units import Clock, Cost


@pytest.mark.parametrize(
    ("text", "mhz", "ticks"),
    [
        ("1931 cycles", 3800, 1_931_000),
        ("11.4 cycles", 3800, 11_400),
        ("0.001 cycles", 3800, 1),
        ("1e3 cycles", 3800, 1_000_000),
        (".46 us", 2500, 460 * 2500),
        ("60 ns", 1000, 60_000),
        ("7.45 us", 3800, 7450 * 3800),
        ("1 ps", 2660, 3),
        ("2 ms", 3800, 2_000_000 * 3800),
    ],
)
def test_costs_in_ticks(text: str, mhz: int, ticks: int) -> None:
    assert Cost.parse(text).ticks(Clock(mhz)) == ticks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1931", "the unit is missing: write '1931 cycles'"),
        ("1931 parsecs", "the unit 'parsecs' does not fit here"),
        ("-5 cycles", "a cost cannot be negative"),
        ("0.0001 cycles", "whole number of thousandths of a cycle"),
        ("many cycles", "expected a number with a unit"),
        ("", "expected a number with a unit"),
        ("1 2 cycles", "expected a number with a unit"),
    ],
)
def test_costs_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cost.parse(text)


@pytest.mark.parametrize(("text", "mhz"), [("3.8 GHz", 3800), ("2660 MHz", 2660), ("1e9 Hz", 1000)])
def test_clocks(text: str, mhz: int) -> None:
    assert units.parse_clock(text) == Clock(mhz)


@pytest.mark.parametrize("text", ["3.3333333 GHz", "0 MHz", "-1 GHz", "100 kHz", "3.8"])
def test_clocks_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"whole number of MHz|unit is missing"):
        units.parse_clock(text)


def test_other_quantities() -> None:
    assert units.parse_duration("10 us") == 10_000
    assert units.parse_duration("1.5 ms") == 1_500_000
    assert units.parse_rate("100 Hz") == 100
    assert units.parse_rate("0.5 /s") == Fraction(1, 2)
    assert units.parse_size("4 KiB") == 4096
    for parse, text in ((units.parse_duration, "0.5 ns"), (units.parse_rate, "0 Hz"), (units.parse_size, "-1 B")):
        with pytest.raises(ValueError, match=f"found '{text}'"):
            parse(text)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10_000))
def test_a_nanosecond_is_as_many_ticks_as_the_clock_has_mhz(nanoseconds: int, mhz: int) -> None:
    clock = Clock(mhz)
    assert nanoseconds * clock.ticks_per_ns * 10**9 == nanoseconds * clock.ticks_per_second
    assert Fraction(clock.seconds(nanoseconds * mhz)) == Fraction(nanoseconds, 10**9)


@given(st.integers(-(10**30), 10**30))
def test_cycles_are_printed_exactly_with_their_sign(ticks: int) -> None:
    assert Fraction(units.cycles(ticks)) == Fraction(ticks, 1000)


@pytest.mark.parametrize(
    ("ticks", "text"), [(-1, "-0.000000000001"), (0, "0.000000000000"), (-(10**12), "-1.000000000000")]
)
def test_seconds_of_small_and_negative_times(ticks: int, text: str) -> None:
    assert Clock(1000).seconds(ticks) == text


@pytest.mark.parametrize("sign", ["±", "+-", "+/-", " ± "])
def test_a_cost_with_a_spread_has_a_low_and_a_high(sign: str) -> None:
    spread = Cost.parse_spread(f"1500{sign}200.5 cycles")
    assert spread is not None
    assert [str(cost) for cost in spread] == ["1500 cycles", "1299.5 cycles", "1700.5 cycles"]
    assert Cost.parse_spread("1500 cycles") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("200 ± 200.001 cycles", "a cost cannot be negative, and the low of '200 ± 200.001 cycles' is"),
        ("200 ± -1 cycles", "a cost cannot be negative, found '-1 cycles'"),
        ("200 ± 1", "the unit is missing: write '200 cycles'"),
        ("200 ± 1 apples", "the unit 'apples' does not fit here"),
        ("200 ± 0.0001 cycles", "a whole number of thousandths of a cycle"),
    ],
)
def test_spreads_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Cost.parse_spread(text)
