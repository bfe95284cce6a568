"""Errors of pydantic in plain words, at their place in the file."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, RootModel, Tag, model_validator

from simulator.errors import SpecError
from simulator.spec.hints import hint
from simulator.spec.overrides import override
from simulator.spec.reader import parse
from simulator.spec.validation import validate
from simulator.units import Clock, Cost, parse_clock


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def _cost(value: Any) -> Any:
    return Cost.parse(value) if isinstance(value, str) else value


class Entry(Strict):
    cost: Annotated[Cost, BeforeValidator(_cost)]
    source: str = ""


class Paging(Strict):
    kind: Literal["shadow", "nested"]
    levels: Annotated[int, Field(ge=2, le=5)] = 4


class Tlb(Strict):
    kind: Literal["tlb"]
    entries: int


def _clock(value: Any) -> Clock:
    return parse_clock(str(value))


class Machine(Strict):
    clock: Annotated[object, BeforeValidator(_clock)]
    cpus: int = 1
    smt: bool = False
    name: str = ""


def _short_entry(value: Any) -> Any:
    return value if isinstance(value, dict) else {"cost": value}


class Names(RootModel[dict[str, int]]):
    pass


def _which(value: Any) -> str:
    return "map" if isinstance(value, dict) else "whole"


class Model(Strict):
    machine: Machine | None = None
    costs: dict[Annotated[str, Field(pattern="^[a-z_]+$")], Annotated[Entry, BeforeValidator(_short_entry)]] = {}
    mechanism: Annotated[Paging | Tlb, Field(discriminator="kind")] | None = None
    mechanisms: list[Annotated[Paging | Tlb, Field(discriminator="kind")]] = []
    untagged: dict[str, Paging | Tlb] = {}
    either: int | str | Tlb | None = None
    maybe: int | Machine | None = None
    nested: list[int | list[bool | Tlb]] = []
    called: Annotated[Annotated[Machine, Tag("map")] | Annotated[int, Tag("whole")], Discriminator(_which)] | None = (
        None
    )
    mode: Literal["user", "kernel"] = "user"
    ratio: Decimal = Decimal(1)
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    pair: Annotated[tuple[int, str] | None, Field(strict=False)] = None
    short: Annotated[str, Field(max_length=3)] = ""
    two: Annotated[list[int], Field(min_length=2, max_length=3)] = [1, 2]
    even: Annotated[int, Field(multiple_of=2)] = 2
    names: Names = Names({})
    aliased: int = Field(default=1, alias="class")
    anything: dict[str, Any] = {}
    exact: Fraction = Fraction(1)

    @model_validator(mode="after")
    def _modes_fit(self) -> Model:
        if self.mode == "kernel" and self.even == 4:
            raise ValueError("the mode 'kernel' does not go with even: 4")
        return self


def lines_of(text: str) -> list[str]:
    """Return the faults of a document as lines."""
    root = parse(text, "f")
    with pytest.raises(SpecError) as caught:
        validate(root, Model)
    return [str(fault) for fault in caught.value.faults]


def test_a_valid_document() -> None:
    model = validate(
        parse("machine: {clock: 3.8 GHz}\ncosts: {vm_exit: 1931 cycles}\nmechanism: {kind: tlb, entries: 64}", "f"),
        Model,
    )
    assert str(model.costs["vm_exit"].cost) == "1931 cycles"
    assert model.mechanism == Tlb(kind="tlb", entries=64)


NO_MODE = "YAML 1.2 reads NO as text; write false"
KNOWN = "machine, costs, mechanism, mechanisms, untagged, either, maybe, nested, called, mode, ratio, share, ..."


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # keys
        ("machin: {}", "f:1:1: machin: unknown key 'machin' (did you mean 'machine'?)"),
        ("machine: {clock: 1 GHz, cpu: 2}", "f:1:25: machine.cpu: unknown key 'cpu' (did you mean 'cpus'?)"),
        (
            "machine: {clock: 1 GHz, zzz: 2}",
            "f:1:25: machine.zzz: unknown key 'zzz' (known keys: clock, cpus, smt, name)",
        ),
        (
            "machine: {clock: 1 GHz, cpus:2}",
            "f:1:25: machine.cpus:2: unknown key 'cpus:2' (a space is missing after ':': write 'cpus: 2')",
        ),
        ("zzz: 1", f"f:1:1: zzz: unknown key 'zzz' (known keys: {KNOWN})"),
        ("clas: 1", "f:1:1: clas: unknown key 'clas' (did you mean 'class'?)"),
        ("aliased: 1", "f:1:1: aliased: unknown key 'aliased' (did you mean 'called'?)"),
        ("class: x", "f:1:8: class: expected a whole number, found the text 'x'"),
        ("machine: {cpus: 2}", "f:1:10: machine: the key 'clock' is missing"),
        ("costs:\n  x: {source: a}", "f:2:6: costs.x: the key 'cost' is missing"),
        ("costs:\n  X: 1 cycles", "f:2:3: costs.X: expected text that matches ^[a-z_]+$, found the text 'X'"),
        # types
        ("machine: 3", "f:1:10: machine: expected a mapping (key: value), found the number 3"),
        ("mechanisms: {a: 1}", "f:1:13: mechanisms: expected a list, found a mapping"),
        ("costs: []", "f:1:8: costs: expected a mapping (key: value), found a list"),
        ("names: {a: x}", "f:1:12: names.a: expected a whole number, found the text 'x'"),
        ("names: 3", "f:1:8: names: expected a mapping (key: value), found the number 3"),
        ("even: true", "f:1:7: even: expected a whole number, found true"),
        ("even: 1.50", "f:1:7: even: expected a whole number, found the number 1.50"),
        ("even:", "f:1:6: even: expected a whole number, found nothing (null)"),
        ("ratio: x", "f:1:8: ratio: expected a number, found the text 'x'"),
        (
            "exact: '1'",
            "f:1:8: exact: expected a number, found the text '1' (the quotes make it text; write 1 without them)",
        ),
        ("pair: [1]", "f:1:7: pair: the list has no entry 1 (entries count from 0)"),
        # hints
        (
            "machine: {clock: 1 GHz, smt: NO}",
            f"f:1:30: machine.smt: expected true or false, found the text 'NO' ({NO_MODE})",
        ),
        (
            "machine: {clock: 1 GHz, smt: 'true'}",
            "f:1:30: machine.smt: expected true or false, found the text 'true' "
            "(the quotes make it text; write true without them)",
        ),
        (
            "even: 1:30",
            "f:1:7: even: expected a whole number, found the text '1:30' (YAML 1.2 reads 1:30 as text, not as 90)",
        ),
        (
            "even: 1_000",
            "f:1:7: even: expected a whole number, found the text '1_000' (YAML 1.2 reads 1_000 as text; write 1000)",
        ),
        (
            "machine: {clock: 1 GHz, name: 1.10}",
            'f:1:31: machine.name: expected text, found the number 1.10 (write "1.10" for text)',
        ),
        (
            "mechanism: {kind: shadow, levels: 010}",
            "f:1:35: mechanism.levels: expected a number of at most 5, found the number 010 "
            "(010 is ten; 8 is written 0o10)",
        ),
        # bounds
        (
            "mechanism: {kind: shadow, levels: 1}",
            "f:1:35: mechanism.levels: expected a number of at least 2, found the number 1",
        ),
        ("share: 0", "f:1:8: share: expected a number above 0, found the number 0"),
        ("share: 1.5", "f:1:8: share: expected a number below 1, found the number 1.5"),
        ("even: 3", "f:1:7: even: expected a multiple of 2, found the number 3"),
        ("short: four", "f:1:8: short: expected text of at most 3 characters, found the text 'four'"),
        ("two: [1]", "f:1:6: two: expected 2 or more entries, found a list with 1"),
        ("two: [1, 2, 3, 4]", "f:1:6: two: expected at most 3 entries, found a list with 4"),
        # values
        ("mode: usr", "f:1:7: mode: expected 'user' or 'kernel', found the text 'usr' (did you mean 'user'?)"),
        ("mode: 3", "f:1:7: mode: expected 'user' or 'kernel', found the number 3 (write \"3\" for text)"),
        ("mode: kernel\neven: 4", "f:1:1: the mode 'kernel' does not go with even: 4"),
        (
            "costs: {vm_exit: 1931}",
            "f:1:18: costs.vm_exit: expected a number with a unit, such as '1931 cycles', found the number 1931",
        ),
        (
            "costs: {vm_exit: 1931 cylces}",
            "f:1:18: costs.vm_exit: the unit 'cylces' does not fit here: use one of "
            "cycle, cycles, kcycles, ps, ns, us, µs, μs, ms, s, as in '1931 cycles'",
        ),
        (
            "costs: {vm_exit: {cost: -1 cycles}}",
            "f:1:25: costs.vm_exit.cost: a cost cannot be negative, found '-1 cycles'",
        ),
        (
            "machine:\n  clock: 1.5 MHz",
            "f:2:10: machine.clock: a clock is a whole number of MHz above 0, found '1.5 MHz'",
        ),
        # unions
        (
            "mechanism: {kind: tlp}",
            "f:1:19: mechanism.kind: expected 'shadow', 'nested' or 'tlb', found the text 'tlp' (did you mean 'tlb'?)",
        ),
        ("mechanism: {levels: 2}", "f:1:12: mechanism: the key 'kind' is missing"),
        ("mechanism: tlb", "f:1:12: mechanism: expected a mapping (key: value), found the text 'tlb'"),
        ("mechanism: {kind: tlb}", "f:1:12: mechanism: the key 'entries' is missing"),
        (
            "mechanisms: [{kind: tlb, entries: x}]",
            "f:1:35: mechanisms.0.entries: expected a whole number, found the text 'x'",
        ),
        (
            "mechanisms:\n- {kind: tlb, entries: 1, entrys: 1}",
            "f:2:27: mechanisms.0.entrys: unknown key 'entrys' (did you mean 'entries'?)",
        ),
        (
            "untagged: {tlb: {kind: tlb, entries: x}}",
            "f:1:38: untagged.tlb.entries: expected a whole number, found the text 'x'",
        ),
        ("untagged: {Tlb: 1}", "f:1:17: untagged.Tlb: expected a mapping (key: value), found the number 1"),
        (
            "either: true",
            "f:1:9: either: expected a whole number or text or a mapping (key: value), found true "
            '(write "true" for text)',
        ),
        ("either: {kind: tlb}", "f:1:9: either: the key 'entries' is missing"),
        ("either: {kind: tlb, entries: []}", "f:1:30: either.entries: expected a whole number, found a list"),
        ("maybe: {cpus: 1, clock: 1 GHz, clok: 1}", "f:1:32: maybe.clok: unknown key 'clok' (did you mean 'clock'?)"),
        ("maybe: NO", "f:1:8: maybe: expected a whole number or a mapping (key: value), found the text 'NO'"),
        (
            "nested: [1, [true, {kind: tlb, entries: no}]]",
            "f:1:41: nested.1.1.entries: expected a whole number, found the text 'no'",
        ),
        ("nested: [x]", "f:1:10: nested.0: expected a whole number or a list, found the text 'x'"),
        ("nested: [[x]]", "f:1:11: nested.0.0: expected true or false or a mapping (key: value), found the text 'x'"),
        ("called: {clock: 1 GHz, cpus: x}", "f:1:30: called.cpus: expected a whole number, found the text 'x'"),
        ("called: [1]", "f:1:9: called: expected a whole number, found a list"),
    ],
)
def test_error(text: str, line: str) -> None:
    assert lines_of(text) == [line]


def test_all_errors_come_at_once_in_the_order_of_the_file() -> None:
    text = "even: x\nmachine:\n  smt: 1\n  cpu: 1\nmode: x\ncosts: {a: 1, b: {cost: x, low: 1}}"
    assert [line.split(": ")[0:2] for line in lines_of(text)] == [
        ["f:1:7", "even"],
        ["f:3:3", "machine"],
        ["f:3:8", "machine.smt"],
        ["f:4:3", "machine.cpu"],
        ["f:5:7", "mode"],
        ["f:6:12", "costs.a"],
        ["f:6:25", "costs.b.cost"],
        ["f:6:28", "costs.b.low"],
    ]


def test_an_override_is_marked_as_such() -> None:
    root = override(parse("machine: {clock: 1 GHz}", "f"), "machine.clock", "fast").root
    with pytest.raises(SpecError) as caught:
        validate(root, Model)
    assert str(caught.value).startswith("--set:1:1: machine.clock: expected a number with a unit")


@pytest.mark.parametrize(
    ("value", "expected", "words"),
    [
        ("NO", "bool", NO_MODE),
        ("NO", "", NO_MODE),
        ("NO", "number", ""),
        ("Yes", "bool", "YAML 1.2 reads Yes as text; write true"),
        ("off", "bool", "YAML 1.2 reads off as text; write false"),
        ("1:30", "number", "YAML 1.2 reads 1:30 as text, not as 90"),
        ("-1:00:00", "number", "YAML 1.2 reads -1:00:00 as text, not as -3600"),
        ("1:30", "bool", ""),
        ("1_000", "", "YAML 1.2 reads 1_000 as text; write 1000"),
        ("0b101", "number", "YAML 1.2 reads 0b101 as text; write 5"),
        ("12", "number", ""),
        ("x", "", ""),
        (12, "", ""),
        (12, "text", 'write "12" for text'),
        (None, "text", ""),
        (True, "number", ""),
    ],
)
def test_hint(value: Any, expected: Any, words: str) -> None:
    assert hint(value, expected) == words


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("010", "", "010 is ten; 8 is written 0o10"),
        ("0644", "number", "0644 is 644; 420 is written 0o644"),
        ("08", "number", "08 is 8"),
        ("00", "number", "00 is 0"),
        ("010", "text", 'write "010" for text'),
        ("10", "number", ""),
        ("null", "text", ""),
        ("TRUE", "text", 'write "TRUE" for text'),
        ("'12'", "number", "the quotes make it text; write 12 without them"),
        ("'1e99'", "number", ""),
        ("'yes'", "number", ""),
    ],
)
def test_hint_on_what_was_written(text: str, expected: Any, words: str) -> None:
    node = parse(f"a: {text}", "f").child("a")
    assert node is not None
    assert hint(node, expected) == words


law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = st.sampled_from([*Model.model_fields, "class", "kind", "entries", "clock", "cost", "tlb", "int", "Tlb", "x"])
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 3, 10**20, "x", "user", "tlb", "shadow", "1 GHz", "5 cycles", "NO"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@law
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_pydantic_says_becomes_faults_with_places(tree: dict[str, Any]) -> None:
    root = parse(json.dumps(tree), "f")
    try:
        validate(root, Model)
    except SpecError as error:
        assert error.faults
        assert all(fault.line == 1 and "Input should" not in fault.message for fault in error.faults)
