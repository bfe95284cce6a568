"""YAML text to nodes with marks: scalars, refusals, marks, merging and overriding."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator.errors import Fault, SpecError
from simulator.spec import composer
from simulator.spec.composer import MAX_DEPTH
from simulator.spec.node import Mark, Node, described, dotted, locate, merge, paths, plain, walk
from simulator.spec.overrides import override
from simulator.spec.reader import MAX_BYTES, load, parse, parse_value


def faults_of(call: Callable[..., object], *arguments: object) -> tuple[Fault, ...]:
    """Return the faults of the SpecError that a call raises."""
    with pytest.raises(SpecError) as caught:
        call(*arguments)
    assert all("\n" not in str(fault) for fault in caught.value.faults)
    return caught.value.faults


def lines_of(text: str) -> list[str]:
    """Return the faults of a document as lines."""
    return [str(fault) for fault in faults_of(parse, text, "f")]


def value_of(text: str) -> Any:
    """Return the plain value of the key ``a``."""
    tree = plain(parse(f"a: {text}", "f"))
    assert isinstance(tree, dict)
    return tree["a"]


# --- scalars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2024-01-31", "2024-01-31"),
        ("=", "="),
        ("tRUE", "tRUE"),
        ("nULL", "nULL"),
        ("-0x1F", "-0x1F"),
        ("0o9", "0o9"),
        ("1e", "1e"),
        (".", "."),
        ("١", "١"),
        ("1931 cycles", "1931 cycles"),
        ("010", 10),
        ("-010", -10),
        ("+12", 12),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("2.0", 2),
        ("2.", 2),
        ("-0.0", 0),
        ("0.1", Decimal("0.1")),
        (".5", Decimal("0.5")),
        ("-1.5e-3", Decimal("-0.0015")),
        ("1" * 30, int("1" * 30)),
        ("1e29", 10**29),
        ("1e-29", Decimal("1e-29")),
        ("0.1000000000000000055511151231", Decimal("0.1000000000000000055511151231")),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("'010'", "010"),
        ('"null"', "null"),
        ("''", ""),
        ("'yes'", "yes"),
        ("|\n  12\n", "12\n"),
        (">-\n  a\n  b\n", "a b"),
        ("!!str 12", "12"),
        ("!!str null", "null"),
        ("!!int 12", 12),
        ("!!int '12'", 12),
        ("!!float 1", 1),
        ("!!float 1.5", Decimal("1.5")),
        ("!!bool true", True),
        ("!!null null", None),
        ("!!seq [1]", [1]),
        ("!!map {b: 1}", {"b": 1}),
        ("!<tag:yaml.org,2002:str> 1", "1"),
    ],
)
def test_scalar(text: str, value: object) -> None:
    read = value_of(text)
    assert read == value
    assert type(read) is type(value)


def test_scalars_keep_their_source() -> None:
    entries = parse("a: 010\nb: '010'\nc:\nd: |\n  x\n", "f")
    assert [(n.source, n.quoted) for _, n in entries.children()] == [
        ("010", False),
        ("010", True),
        ("", False),
        ("x\n", True),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".inf", "expected a finite number, found '.inf'"),
        ("-.INF", "expected a finite number, found '-.INF'"),
        (".nan", "expected a finite number, found '.nan'"),
        ("1" * 31, f"expected a number of at most 30 digits, found '{'1' * 31}'"),
        ("0x" + "f" * 30, f"expected a number of at most 30 digits, found '0x{'f' * 30}'"),
        ("1e30", "expected a number of at most 30 digits, found '1e30'"),
        ("1e-30", "expected a number of at most 30 digits, found '1e-30'"),
        ("1e999999999999", "expected a number of at most 30 digits, found '1e999999999999'"),
        ("1e-999999999999", "expected a number of at most 30 digits, found '1e-999999999999'"),
        ("9" * 5000, f"expected a number of at most 30 digits, found '{'9' * 57}...'"),
        ("!!int x", "the tag !!int does not fit the text 'x'"),
        ("!!int true", "the tag !!int does not fit true"),
        ("!!int 1.5", "the tag !!int does not fit the number 1.5"),
        ("!!bool 1", "the tag !!bool does not fit the number 1"),
        ("!!map x", "the tag !!map does not fit the text 'x'"),
        ("!!seq {}", "the tag !!seq does not fit a mapping"),
        ("!!str []", "the tag !!str does not fit a list"),
    ],
)
def test_scalar_refused(text: str, message: str) -> None:
    assert lines_of(f"a: {text}") == [f"f:1:4: a: {message}"]


@pytest.mark.parametrize(
    "tag", ["!x", "!!python/object/apply:os.system", "!!timestamp", "!!binary", "!!set", "!", "!<x>"]
)
@pytest.mark.parametrize("value", ["x", "[x]", "{x: 1}"])
def test_other_tags_are_refused(tag: str, value: str) -> None:
    (line,) = lines_of(f"a: {tag} {value}")
    assert line.startswith("f:1:4: a: the tag '")
    assert "is not allowed: leave it out (known tags: !!str, !!int, !!float, !!bool, !!null, !!map, !!seq)" in line


# --- structure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "f:1:1: the document is empty: expected a mapping (key: value)"),
        ("# nothing\n", "f:1:1: the document is empty: expected a mapping (key: value)"),
        ("---\n", "f:1:1: the document is empty: expected a mapping (key: value)"),
        ("null", "f:1:1: expected a mapping (key: value) at the top level, found nothing (null)"),
        ("- a", "f:1:1: expected a mapping (key: value) at the top level, found a list"),
        ("\n text", "f:2:2: expected a mapping (key: value) at the top level, found the text 'text'"),
        ("a: 1\n---\nb: 2\n", "f:2:1: expected one document in the file, found another"),
        ("b:\n  a: 1\n  c: 2\n  'a': 3", "f:4:3: b.a: the key 'a' stands twice (first at line 2)"),
        ("a: {1: x}", 'f:1:5: a.1: expected text as a key, found the number 1: write "1"'),
        ("a: {true: x}", 'f:1:5: a.true: expected text as a key, found true: write "true"'),
        ("null: x", 'f:1:1: null: expected text as a key, found nothing (null): write "null"'),
        ("?\n: x", "f:1:2: ?: expected text as a key, found nothing (null): write it in quotes"),
        ("? [a]\n: x", "f:1:3: ?: expected text as a key, found a list"),
        ("? {a: 1}\n: x", "f:1:3: ?: expected text as a key, found a mapping"),
        ("a:\n  <<: {b: 1}", "f:2:3: a.<<: the merge key '<<' is not read: use 'extends'"),
        ("a: *x", "f:1:4: a: the alias '*x' has no anchor before it"),
        ("cost: &cost 1\na: *csot", "f:2:4: a: the alias '*csot' has no anchor before it (did you mean 'cost'?)"),
        ("a: &x [1, *x]", "f:1:11: a.1: the alias '*x' stands inside its own anchor (line 1)"),
        ("a: &x 1\nb: &x 2", "f:2:4: b: the anchor '&x' stands twice (first at line 1)"),
        ("a: x\0", "f:1:5: a NUL character is not allowed"),
        ("a: 1\r\nb: \x1b", "f:2:4: the control character U+001B is not allowed"),
        ("a: \ud800", "f:1:4: the control character U+D800 is not allowed"),
        ('a: "\\0"', "f:1:4: a: the text holds a NUL character, which is not allowed even as an escape"),
        (
            'a: "\\uD800"',
            "f:1:4: a: the text holds the control character U+D800, which is not allowed even as an escape",
        ),
        ('a: "\\UFFFFFFFF"', "f:1:7: a: this is not YAML: a number in an escape or a directive is out of range"),
        ("a:\n\tb: 1", "f:2:1: a: this is not YAML: a tab cannot stand here: indent with spaces"),
        ("a: @b", "f:1:4: a: this is not YAML: a value cannot start with @: put it in quotes"),
        ("a: b: c", "f:1:5: this is not YAML: a ':' cannot stand here: put text that holds ': ' in quotes"),
        (
            "a: {b: 1",
            "f:1:9: a: this is not YAML: expected ',' or '}', but got the end of the text "
            "(while parsing a flow mapping that starts at line 1)",
        ),
        (
            'a: "b\n\n',
            "f:3:1: a: this is not YAML: found the end of the text "
            "(while scanning a quoted scalar that starts at line 1)",
        ),
        (
            "- a\nb: c",
            "f:2:1: 1: this is not YAML: expected the end of the block, but found a key: is the indentation right? "
            "(while parsing a block collection that starts at line 1)",
        ),
        ("%YAML 3.0\n---\na: 1", "f:1:1: this is not YAML: found incompatible YAML document (version 1.* is required)"),
    ],
)
def test_refused(text: str, line: str) -> None:
    assert lines_of(text) == [line]


def test_all_faults_come_at_once_in_the_order_of_the_text() -> None:
    assert lines_of("a: .nan\nb: !x 1\na: {2: *q}\nc: }") == [
        "f:1:4: a: expected a finite number, found '.nan'",
        "f:2:4: b: the tag '!x' is not allowed: leave it out "
        "(known tags: !!str, !!int, !!float, !!bool, !!null, !!map, !!seq)",
        "f:3:1: a: the key 'a' stands twice (first at line 1)",
        'f:3:5: a.2: expected text as a key, found the number 2: write "2"',
        "f:3:8: a.2: the alias '*q' has no anchor before it",
        "f:4:4: c: this is not YAML: expected the node content, but found '}' "
        "(while parsing a block node that starts at line 4)",
    ]


def test_quoted_keys_are_text() -> None:
    assert plain(parse('"1": x\n"<<": y\n!!str 2: z', "f")) == {"1": "x", "<<": "y", "2": "z"}


def test_aliases_are_expanded_and_shared() -> None:
    root = parse("a: &x {b: [1]}\nc: *x\nd: &k key\n*k : 2", "f")
    assert plain(root) == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "key", "key": 2}
    assert root.child("a") is root.child("c")
    assert root.keys["key"] == Mark("f", 4, 1)


def bomb(levels: int) -> str:
    """Return YAML that stands for nine to the power of ``levels`` values."""
    layers = (f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, levels + 1))
    return "a0: &a0 [x, x]\n" + "".join(layers)


@pytest.mark.parametrize("levels", [9, 30])
def test_alias_bomb_is_refused(levels: int) -> None:
    assert "expected at most 100,000 values, aliases counted in full" in lines_of(bomb(levels))[0]


def test_values_are_counted_with_their_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, 2]\nb: [*x, {c: *x}]\n"
    values = 1 + 3 + 1 + 3 + 1 + 3
    monkeypatch.setattr(composer, "MAX_NODES", values)
    assert len(list(walk(parse(text, "f")))) == values
    monkeypatch.setattr(composer, "MAX_NODES", values - 1)
    assert lines_of(text) == ["f:2:13: b.1.c: expected at most 11 values, aliases counted in full; there are more"]


@pytest.mark.parametrize("unit", ["[", "{", "- ", "? ", "{a: ", "[[a], "])
def test_endless_nesting_is_refused(unit: str) -> None:
    assert "expected at most 64 levels of nesting; there are more" in lines_of(unit * 100_000)[0]


def test_nesting_at_the_limit() -> None:
    def nested(levels: int) -> str:
        return "a: " + "[" * (levels - 1) + "]" * (levels - 1)

    assert len(list(walk(parse(nested(MAX_DEPTH), "f")))) == MAX_DEPTH
    assert "levels of nesting" in lines_of(nested(MAX_DEPTH + 1))[0]


def test_aliases_count_towards_the_nesting() -> None:
    def chain(levels: int) -> str:
        return "a1: &a1 []\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(2, levels))

    parse(chain(MAX_DEPTH), "f")
    assert "levels of nesting" in lines_of(chain(MAX_DEPTH + 1))[0]


# --- marks -----------------------------------------------------------------------------------------------------------

MARKED = """\
# a comment
machine:
  clock: 3800 MHz
  "a.b": [x, {y: 1}]
costs:
  vm_exit: {cost: 1931 cycles, source: 'a
    b'}
  empty:
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ([], 2, 1),
        (["machine"], 3, 3),
        (["machine", "clock"], 3, 10),
        (["machine", "a.b"], 4, 10),
        (["machine", "a.b", 0], 4, 11),
        (["machine", "a.b", 1, "y"], 4, 18),
        (["costs", "vm_exit", "source"], 6, 40),
        (["costs", "empty"], 8, 9),
        (["costs", "gone"], 6, 3),
        (["costs", "function-before[x]", "vm_exit", "Cost", "cost"], 6, 19),
        (["machine", "a.b", 7, "y"], 4, 10),
        (["machine", "a.b", -1], 4, 10),
        (["machine", "clock", 0], 3, 10),
    ],
)
def test_locate(path: list[str | int], line: int, column: int) -> None:
    assert locate(parse(MARKED, "m.yaml"), path) == Mark("m.yaml", line, column)


def test_keys_have_marks() -> None:
    root = parse(MARKED, "f")
    costs = root.child("costs")
    assert root.keys == {"machine": Mark("f", 2, 1), "costs": Mark("f", 5, 1)}
    assert costs is not None
    assert costs.keys["empty"] == Mark("f", 8, 3)


def test_a_byte_order_mark_takes_no_column() -> None:
    root = parse("\ufeffa: 1", "f")
    assert root.keys["a"] == Mark("f", 1, 1)


def test_paths() -> None:
    text = "a: {b: 1, c: [x, {d: ''}], e: {}, f: []}\n'p.q': 1\n'*': 2\n'': 3\n\"\\u2028\": 4"
    assert list(paths(parse(text, "f"))) == [
        "a.b",
        "a.c.0",
        "a.c.1.d",
        "a.e",
        "a.f",
        '"p.q"',
        '"*"',
        '""',
        '"\\u2028"',
    ]


def test_described() -> None:
    entries = parse("a: 010\nb: x\nc: true\nd: ~\ne: 1.50\nf: {}\ng: []", "f").children()
    assert [described(node) for _, node in entries] == [
        "the number 010",
        "the text 'x'",
        "true",
        "nothing (null)",
        "the number 1.50",
        "a mapping",
        "a list",
    ]


def test_described_without_a_node() -> None:
    values: list[object] = [1, "x\n", False, Decimal("1.5"), (), b""]
    assert [described(value) for value in values] == [
        "the number 1",
        "the text 'x\\n'",
        "false",
        "the number 1.5",
        "a list",
        "a bytes",
    ]


# --- files -----------------------------------------------------------------------------------------------------------


def test_load(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("a: µs\r\nb: 2\r\n".encode())
    assert plain(load(file)) == {"a": "µs", "b": 2}
    assert load(file).mark.file == str(file)
    assert load(file, "shown.yaml").keys["b"] == Mark("shown.yaml", 2, 1)


def test_load_refuses(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    assert str(*faults_of(load, file, "f")) == "f: there is no such file"
    assert str(*faults_of(load, tmp_path, "f")) == "f: expected a file, found a directory"
    assert str(*faults_of(load, file / "b", "f")) == "f: there is no such file"
    assert str(*faults_of(load, Path("a\0b"), "f")) == "f: the file cannot be read: embedded null byte"
    file.write_bytes(b"a: 1\nb: \xc3\xa4\xff")
    assert str(*faults_of(load, file, "f")) == "f:2:5: expected UTF-8 text, found the byte 0xFF"
    assert str(*faults_of(load, file)).startswith(f"{file}:2:5: ")
    file.write_text("a: 1", encoding="utf-16")
    assert "expected UTF-8 text" in str(*faults_of(load, file, "f"))


def test_load_refuses_large_files(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert str(*faults_of(load, file, "f")) == "f: expected a file of at most 8 MiB; it is larger"


# --- merge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "child", "merged"),
    [
        ("a: 1\nb: 2", "b: 3\nc: 4", {"a": 1, "b": 3, "c": 4}),
        ("a: {b: {c: 1, d: 2}}", "a: {b: {d: 3}}", {"a": {"b": {"c": 1, "d": 3}}}),
        ("a: [1, 2]", "a: [3]", {"a": [3]}),
        ("a: {b: 1}", "a: x", {"a": "x"}),
        ("a: x", "a: {b: 1, c: null}", {"a": {"b": 1, "c": None}}),
        ("a: {b: 1}", "a: [b]", {"a": ["b"]}),
        ("a: 1\nb: 2", "a: null", {"b": 2}),
        ("a: {b: 1, c: 2}", "a: {b: ~}", {"a": {"c": 2}}),
        ("a: 1", "b: null", {"a": 1, "b": None}),
        ("a: 1", "b:", {"a": 1, "b": None}),
        ("a: 1", "a: 'null'", {"a": "null"}),
        ("a: 1", "a: ''", {"a": ""}),
        ("a: null", "a: {b: 1}", {"a": {"b": 1}}),
    ],
)
def test_merge(base: str, child: str, merged: object) -> None:
    assert plain(merge(parse(base, "base"), parse(child, "child"))) == merged


def test_merge_keeps_the_order_of_the_base_and_changes_neither() -> None:
    base, child = parse("a: 1\nb: {x: 1}\nc: 3", "base"), parse("d: 4\nb: {y: 2}\na: 5", "child")
    before = plain(base), plain(child)
    merged = plain(merge(base, child))
    assert json.dumps(merged) == '{"a": 5, "b": {"x": 1, "y": 2}, "c": 3, "d": 4}'
    assert (plain(base), plain(child)) == before


def test_merge_marks_name_the_file_of_each_value() -> None:
    merged = merge(parse("a: {b: 1, c: 2}\ngone: 1", "base"), parse("\na: {c: 3}\ngone: null", "child"))
    assert locate(merged, ["a", "b"]) == Mark("base", 1, 8)
    assert locate(merged, ["a", "c"]) == Mark("child", 2, 8)
    assert locate(merged, ["a"]) == Mark("child", 2, 4)
    a = merged.child("a")
    assert a is not None
    assert a.keys == {"b": Mark("base", 1, 5), "c": Mark("child", 2, 5)}
    assert set(merged.keys) == {"a"}


def test_merge_refuses_an_empty_value_over_one_of_the_base() -> None:
    base, child = parse("a: {b: 1}\nc: 2", "base"), parse("a: {b: }\nc:", "child")
    assert [str(fault) for fault in faults_of(merge, base, child)] == [
        "child:1:7: a.b: the value is empty: write null to remove 'b', or leave the line out to keep it",
        "child:2:3: c: the value is empty: write null to remove 'c', or leave the line out to keep it",
    ]


# --- override --------------------------------------------------------------------------------------------------------

MODEL = """\
machine: {clock: 3800 MHz}
costs:
  vm_exit: 1931 cycles
  vm_entry: {cost: 900 cycles, source: measured}
  "a.b": 1 cycles
list: [1, {x: 2}, 3]
bounds:
  one: {low: 1, high: 2}
  two: {low: 3}
none: {}
"""


def overridden(path: str, text: str) -> tuple[Any, list[str]]:
    """Return the plain tree after an override, and what was set."""
    root, found = override(parse(MODEL, "f"), path, text)
    return plain(root), [dotted(path) for path in found]


@pytest.mark.parametrize(
    ("path", "text", "at", "value", "concrete"),
    [
        ("machine.clock", "2 GHz", ["machine", "clock"], "2 GHz", "machine.clock"),
        ("costs.vm_exit", "1500 cycles", ["costs", "vm_exit"], "1500 cycles", "costs.vm_exit"),
        ("costs.vm_exit", "{cost: 1, low: 0}", ["costs", "vm_exit"], {"cost": 1, "low": 0}, "costs.vm_exit"),
        (
            "costs.vm_entry",
            "800 cycles",
            ["costs", "vm_entry"],
            {"cost": "800 cycles", "source": "measured"},
            "costs.vm_entry.cost",
        ),
        ("costs.vm_entry.source", "guess", ["costs", "vm_entry", "source"], "guess", "costs.vm_entry.source"),
        ("costs.vm_entry", "{cost: 1}", ["costs", "vm_entry"], {"cost": 1}, "costs.vm_entry"),
        ('costs."a.b"', "2 cycles", ["costs", "a.b"], "2 cycles", 'costs."a.b"'),
        ("list", "[4]", ["list"], [4], "list"),
        ("list.1.x", "5", ["list", 1, "x"], 5, "list.1.x"),
        ("list.0", "null", ["list", 0], None, "list.0"),
        ("machine", "{}", ["machine"], {}, "machine"),
        ("machine.clock", "'1'", ["machine", "clock"], "1", "machine.clock"),
        ("machine.clock", '""', ["machine", "clock"], "", "machine.clock"),
        ("machine.clock", "1e3", ["machine", "clock"], 1000, "machine.clock"),
    ],
)
def test_override(path: str, text: str, at: list[str | int], value: object, concrete: str) -> None:
    tree, found = overridden(path, text)
    there = tree
    for part in at:
        there = there[part]
    assert there == value
    assert found == [concrete]


def test_override_of_every_entry() -> None:
    tree, found = overridden("costs.*", "7 cycles")
    assert tree["costs"] == {
        "vm_exit": "7 cycles",
        "vm_entry": {"cost": "7 cycles", "source": "measured"},
        "a.b": "7 cycles",
    }
    assert found == ["costs.vm_exit", "costs.vm_entry.cost", 'costs."a.b"']
    assert overridden("bounds.*.low", "0")[1] == ["bounds.one.low", "bounds.two.low"]
    assert overridden("bounds.*.high", "0")[1] == ["bounds.one.high"]
    assert overridden("*.clock", "1 GHz")[1] == ["machine.clock"]
    assert overridden("list.*.x", "0")[1] == ["list.1.x"]


def test_override_leaves_the_document_alone_and_marks_what_it_set() -> None:
    root = parse(MODEL, "f")
    before = plain(root)
    changed, found = override(root, "costs.vm_entry", "1 cycles")
    assert found == (("costs", "vm_entry", "cost"),)
    assert plain(root) == before
    assert locate(changed, ["costs", "vm_entry", "cost"]) == Mark("--set", 1, 1)
    assert locate(changed, ["costs", "vm_entry", "source"]) == Mark("f", 4, 40)
    entry = changed.child("costs")
    assert entry is not None
    assert entry.keys["vm_entry"] == Mark("f", 4, 3)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("costs.vm_exti", "1", "there is no 'vm_exti' in 'costs' (did you mean 'costs.vm_exit'?)"),
        ("csots.vm_exit", "1", "there is no 'csots' in the document (did you mean 'costs'?)"),
        ("vm_entry.source", "1", "there is no 'vm_entry' in the document (did you mean 'costs.vm_entry.source'?)"),
        ("zzz", "1", "there is no 'zzz' in the document"),
        ("list.3", "1", "there is no '3' in 'list', whose entries are 0 to 2"),
        ("list.-1", "1", "there is no '-1' in 'list', whose entries are 0 to 2"),
        (
            "machine.clock.x",
            "1",
            "there is no 'x' in 'machine.clock', which is the text '3800 MHz' (did you mean 'machine.clock'?)",
        ),
        ("none.*", "1", "'*' finds nothing in 'none' (did you mean 'none'?)"),
        (
            "bounds.*.lw",
            "1",
            "there is no 'lw' in 'bounds.one' or the 1 other places that the path leads to "
            "(did you mean 'bounds.one.low'?)",
        ),
        ('"*".clock', "1", "there is no '*' in the document (did you mean 'machine.clock'?)"),
        ("machine", "1", "'machine' is a mapping, not one value: set one of its keys (clock)"),
        ("bounds.one", "null", "'bounds.one' is a mapping, not one value: set one of its keys (low, high)"),
        ("list", "1", "'list' is a list, not one value: set an entry, 0 to 2, or write the whole list in brackets"),
        ("none", "1", "'none' is a mapping, not one value: it is empty"),
        ("machine.clock", "", "expected a value after '=': write null for none, or \"\" for empty text"),
        ("machine.clock", "# x", "expected a value after '=': write null for none, or \"\" for empty text"),
        ("machine.clock", "a: b", "expected one value, found a mapping: write it in brackets, or the text in quotes"),
        ("machine.clock", "- a", "expected one value, found a list: write it in brackets, or the text in quotes"),
        ("", "1", "expected a key, an index or '*' at column 1 of the path, as in costs.\"a.b\".cost"),
        ("a..b", "1", "expected a key, an index or '*' at column 3 of the path, as in costs.\"a.b\".cost"),
        ("a.", "1", "expected a key, an index or '*' at column 3 of the path, as in costs.\"a.b\".cost"),
        ('a."b', "1", "expected a key, an index or '*' at column 3 of the path, as in costs.\"a.b\".cost"),
        ('a"b"', "1", "expected a key, an index or '*' at column 1 of the path, as in costs.\"a.b\".cost"),
        ('"\\q"', "1", 'the quoted key "\\q" has an escape that is not known'),
    ],
)
def test_override_refused(path: str, text: str, message: str) -> None:
    (fault,) = faults_of(override, parse(MODEL, "f"), path, text)
    assert fault == Fault("--set", 0, 0, path, message)


def test_override_reports_each_entry_that_cannot_be_set() -> None:
    messages = [fault.message for fault in faults_of(override, parse(MODEL, "f"), "bounds.*", "1")]
    assert messages == [
        "'bounds.one' is a mapping, not one value: set one of its keys (low, high)",
        "'bounds.two' is a mapping, not one value: set one of its keys (low)",
    ]


def test_override_points_into_a_value_that_is_not_yaml() -> None:
    (fault,) = faults_of(override, parse(MODEL, "f"), "list", "[1, .inf]")
    assert str(fault) == "--set:1:5: list.1: expected a finite number, found '.inf'"


# --- laws ------------------------------------------------------------------------------------------------------------

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIGNS = "\n\t :-?[]{},&*!|>'\"%@`#~<.=ab019eEx_+\\/\ufeff\r\u2028é"
PHRASES = (
    ": ",
    "- ",
    "\n  ",
    "&a ",
    "*a ",
    "a: ",
    "? ",
    "---",
    "...",
    "<<",
    "null",
    ".inf",
    "1e99",
    "!!int ",
    "%YAML 1.1\n",
)
YAML_PIECES = st.sampled_from([*SIGNS, *PHRASES, "\\U99999999"])


def check_only_spec_errors(text: str) -> None:
    try:
        root = parse(text, "f")
    except SpecError as error:
        assert error.faults
        assert all(fault.line >= 1 and fault.column >= 1 for fault in error.faults)
        return
    for path, node in walk(root):
        assert locate(root, path) == node.mark


@law
@given(st.text())
@example("a: " + "9" * 5000)
@example("%YAML 1." + "9" * 5000 + "\n---\na: 1")
def test_any_text_gives_a_tree_or_a_spec_error(text: str) -> None:
    check_only_spec_errors(text)


@law
@given(st.lists(YAML_PIECES, max_size=40).map("".join))
def test_anything_like_yaml_gives_a_tree_or_a_spec_error(text: str) -> None:
    check_only_spec_errors(text)


@law
@given(path=st.lists(YAML_PIECES, max_size=6).map("".join), text=st.lists(YAML_PIECES, max_size=9).map("".join))
def test_any_override_gives_a_tree_or_a_spec_error(path: str, text: str) -> None:
    try:
        override(parse(MODEL, "f"), path, text)
    except SpecError as error:
        assert all(fault.file == "--set" for fault in error.faults)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(10**29), 10**29) | TEXT
TREES = st.dictionaries(
    TEXT,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)),
    max_size=5,
)


@law
@given(TREES, st.booleans())
def test_trees_written_with_quoted_text_come_back(tree: Any, flow: bool) -> None:
    """Every text is quoted, as PyYAML writes for YAML 1.1 and leaves bare what only YAML 1.2 reads as a number."""
    text = yaml.dump(tree, Dumper=QuotingDumper, default_flow_style=flow, allow_unicode=True)
    assert plain(parse(text, "f")) == tree


class QuotingDumper(yaml.SafeDumper):
    """Writes all text in quotes, and repeats values instead of writing aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


QuotingDumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)

WORDS = st.text("abcXYZ_ ", min_size=1, max_size=9).map(lambda text: f"w{text}w")
WORD_TREES = st.recursive(
    WORDS | st.integers(0, 999),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@law
@given(st.dictionaries(WORDS, WORD_TREES, max_size=5))
def test_trees_written_by_safe_dump_come_back(tree: Any) -> None:
    assert plain(parse(yaml.safe_dump(tree), "f")) == tree


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_what_breaks_lines_in_yaml_1_1_alone_is_text(char: str) -> None:
    text = f"a{char}b: c{char}d\n'{char}': \"{char} e\" # f{char}: 1\n{{}}: 1"
    with pytest.raises(SpecError) as raised:
        parse(text, "f")
    assert [(fault.line, fault.column) for fault in raised.value.faults] == [(3, 1)]
    assert plain(parse(text.rpartition("\n")[0], "f")) == {f"a{char}b": f"c{char}d", char: f"{char} e"}
    root = parse(f"{{x{char}y: 1, z: 2}}", "f")
    assert root.keys["z"] == Mark("f", 1, 10)


@law
@given(TREES)
@example({"\u2028": 1})
@example({"a": {"\u2029": "\u2028"}})
def test_every_path_of_a_tree_can_be_set(tree: Any) -> None:
    root = parse(json.dumps(tree, ensure_ascii=False), "f")
    for path in paths(root) if tree else ():
        changed, (found,) = override(root, path, "[new]")
        assert dotted(found) == path
        assert locate(changed, found).file == "--set"


@law
@given(TREES, TREES)
def test_merging_a_tree_with_itself_or_nothing_changes_nothing(tree: Any, other: Any) -> None:
    root = parse(json.dumps(tree, ensure_ascii=False), "f")
    empty = parse("{}", "f")
    assert merge(root, empty) == Node(root.value, empty.mark, root.keys)
    assert plain(merge(empty, root)) == tree
    merged = plain(merge(root, parse(json.dumps(other, ensure_ascii=False), "g")))
    assert isinstance(merged, dict)
    assert set(merged) <= set(tree) | set(other)


def test_parse_value_reads_any_shape() -> None:
    assert parse_value("", "f") is None
    assert plain(parse_value("[1]", "f") or pytest.fail()) == [1]
