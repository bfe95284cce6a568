"""Parameters and operations: a resolved tree is rewritten into plain steps, before it is validated.

``$name`` becomes the value of a parameter, ``{product: [...]}`` and ``{sum: [...]}`` their exact result, and a step
that names an operation a ``repeat`` of its events. Values keep their marks, so a fault points to where a value was
written: a parameter, a default, or the argument of an operation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from simulator.errors import Fault, did_you_mean
from simulator.spec.node import Mark, Node, described, dotted
from simulator.spec.scalars import shown
from simulator.spec.steps import ARRIVING, EXAMPLES, STEPS, STRUCTURES
from simulator.units import Quantity

Where = tuple[str | int, ...]

ARITHMETIC = ("product", "sum")
TIMES = "times"
_SECTIONS = ("events", "vcpus", "timer")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_-]*)")
_MOST_STEPS = 20_000


@dataclass
class _Scope:
    """The parameters that can be named at one place, and which of them were."""

    values: dict[str, Node] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Place:
    """Where a step stands: its path in the expanded tree, and the path that people are shown."""

    real: Where
    shown: Where

    def __truediv__(self, part: str | int) -> _Place:
        return _Place((*self.real, part), (*self.shown, part))


@dataclass
class Expander:
    """Expands the workloads of one tree, and collects faults and warnings on the way."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _moved: list[_Place] = field(default_factory=list)
    _steps: int = 0

    def experiment(self, tree: Node) -> Node:
        """Return an experiment with each of its workloads expanded."""
        workloads = tree.child("workloads")
        if workloads is None or not isinstance(workloads.value, dict):
            return tree
        expanded = {name: self.workload(node, ("workloads", name)) for name, node in workloads.value.items()}
        return _with(tree, {"workloads": replace(workloads, value=expanded)})

    def workload(self, node: Node, where: Where = ()) -> Node:
        """Return a workload without parameters to fill in and operations to expand."""
        operations = self._library(node.child("operations"), (*where, "operations"))
        given = node.child("parameters")
        scope = self._scope(given, {}, (*where, "parameters"))
        expanded: dict[str, Node] = {}
        for key in _SECTIONS:
            section = node.child(key)
            if section is not None:
                expanded[key] = self._filled(section, scope, (*where, key))
        assumed = node.child("assume")
        if assumed is not None:
            expanded["assume"] = self._filled(assumed, scope, (*where, "assume"), rounded=False)
        self._warn_of_unused(given, scope, (*where, "parameters"))
        steps = _Steps(self, operations)
        if "events" in expanded:
            expanded["events"] = steps.expanded(expanded["events"], _place((*where, "events")))
        if "vcpus" in expanded:
            expanded["vcpus"] = steps.within(expanded["vcpus"], _place((*where, "vcpus")))
        return _with(node, expanded)

    def operations(self, node: Node) -> Node:
        """Return an operations document, each operation expanded with its defaults."""
        listed = node.child("operations")
        library = self._library(node, ())
        if listed is None or not isinstance(listed.value, dict):
            return node
        expanded = {}
        for name, operation in listed.value.items():
            where: Where = ("operations", name)
            scope = self._scope(operation.child("parameters"), {}, (*where, "parameters"))
            events = operation.child("events")
            if events is not None:
                filled = self._filled(events, scope, (*where, "events"))
                steps = _Steps(self, library, (name,)).expanded(filled, _place((*where, "events")))
                expanded[name] = _with(operation, {"events": steps})
            self._warn_of_unused(operation.child("parameters"), scope, (*where, "parameters"))
        return _with(node, {"operations": replace(listed, value={**listed.value, **expanded})})

    def settled(self, faults: list[Fault]) -> list[Fault]:
        """Return all faults of a tree, from those of its validation: at one place only the first, on shown paths."""
        if self._steps >= _MOST_STEPS:
            return self.faults
        known = set(map(_spot, self.faults))
        origins = {dotted(place.real): dotted(place.shown) for place in self._moved} if faults else {}
        shown_faults = (replace(fault, path=_original(fault.path, origins)) for fault in faults)
        return [*self.faults, *(fault for fault in shown_faults if _spot(fault) not in known)]

    def fault(self, mark: Mark, where: Where, message: str) -> None:
        """Note what is wrong at a place, the first time: an operation may be expanded often."""
        fault = mark.fault(where, message)
        if _spot(fault) not in map(_spot, self.faults):
            self.faults.append(fault)

    def moved(self, place: _Place) -> None:
        """Note that an expanded path is shown as another."""
        self._moved.append(place)

    def count_step(self, mark: Mark, where: Where) -> bool:
        """Count one expanded step; False, and a fault, where there are too many."""
        self._steps += 1
        if self._steps == _MOST_STEPS:
            self.fault(mark, where, f"more than {_MOST_STEPS:,} steps once operations are expanded: use 'times'")
        return self._steps < _MOST_STEPS

    # --- parameters ---------------------------------------------------------------------------------------------------

    def _scope(self, defaults: Node | None, given: Mapping[str, Node], where: Where) -> _Scope:
        """Return the parameters of a workload or an operation; a default may use those that stand above it."""
        scope = _Scope()
        for name, default in defaults.children() if defaults is not None else ():
            value = given.get(str(name)) or self._filled(default, scope, (*where, name), rounded=False)
            if not value.is_scalar or value.value is None:
                message = f"expected one value, or {{product: [...]}} or {{sum: [...]}}, found {described(value)}"
                self.fault(value.mark, (*where, name), message)
            scope.values[str(name)] = value
        return scope

    def _warn_of_unused(self, parameters: Node | None, scope: _Scope, where: Where) -> None:
        for name in scope.values.keys() - scope.used if parameters is not None else ():
            mark = parameters.keys.get(name, parameters.mark) if parameters is not None else Mark("", 0, 0)
            fault = mark.fault((*where, name), f"nothing uses this parameter: write ${name} where it is meant")
            self.warnings.append(str(fault))

    def _filled(self, node: Node, scope: _Scope, where: Where, rounded: bool = True) -> Node:
        """Return ``node`` with parameters and arithmetic replaced by values.

        ``rounded``: numbers, durations and sizes that come out of it are made whole, a half to even.
        """
        if _is_arithmetic(node) or (isinstance(node.value, str) and _NAME.fullmatch(node.value)):
            value = self._value(node, scope, where)
            return _whole(value) if rounded else value
        if isinstance(node.value, dict):
            entries = {key: self._filled(child, scope, (*where, key), rounded) for key, child in node.value.items()}
            return replace(node, value=entries)
        if isinstance(node.value, list):
            entries_of_list = enumerate(node.value)
            return replace(node, value=[self._filled(c, scope, (*where, i), rounded) for i, c in entries_of_list])
        return node

    def _value(self, node: Node, scope: _Scope, where: Where) -> Node:
        """Return what a parameter's name, or arithmetic, stands for; what is neither stands for itself."""
        if _is_arithmetic(node):
            return self._computed(node, scope, where)
        match = _NAME.fullmatch(node.value) if isinstance(node.value, str) else None
        if match is None:
            return node
        name = match.group(1)
        if name not in scope.values:
            known = ", ".join(scope.values) or "none"
            near = did_you_mean(name, scope.values) or f" (known here: {known})"
            self.fault(node.mark, where, f"no parameter '{name}'{near}")
            return Node("", node.mark)
        scope.used.add(name)
        return scope.values[name]

    def _computed(self, node: Node, scope: _Scope, where: Where) -> Node:
        """Return the result of ``product`` or ``sum``, exactly; where there was a fault, empty text at its place."""
        ((name, terms),) = node.children()
        where = (*where, name)
        if not isinstance(terms.value, list) or not terms.value:
            self.fault(node.mark, where, f"expected a list of numbers and quantities, found {described(terms)}")
            return Node("", node.mark)
        values = [self._value(term, scope, (*where, i)) for i, term in enumerate(terms.value)]
        quantities = [self._quantity(value, (*where, i)) for i, value in enumerate(values)]
        known = [quantity for quantity in quantities if quantity is not None]
        units = [quantity.unit for quantity in known if quantity.unit]
        if len(known) < len(quantities):
            return Node("", values[quantities.index(None)].mark)
        if len(units) > 1 and name == "product":
            self.fault(node.mark, where, f"at most one factor of a product has a unit, found {', '.join(units)}")
        elif len({quantity.unit for quantity in known}) > 1 and name == "sum":
            found = ", ".join(quantity.unit or "none" for quantity in known)
            self.fault(node.mark, where, f"all terms of a sum have one unit, found {found}")
        amounts = [quantity.amount for quantity in known]
        amount = math.prod(amounts, start=Fraction(1)) if name == "product" else sum(amounts, Fraction(0))
        return _node_of(Quantity(amount, units[0] if units else ""), node.mark)

    def _quantity(self, node: Node, where: Where) -> Quantity | None:
        quantity = _quantity_of(node)
        if quantity is None:
            self.fault(node.mark, where, f"expected a number or a quantity, such as '5 kHz', found {described(node)}")
        return quantity

    # --- operations ---------------------------------------------------------------------------------------------------

    def _library(self, document: Node | None, where: Where) -> dict[str, Node]:
        """Return the operations of a document by name; a name that a step has already is a fault."""
        listed = document.child("operations") if document is not None else None
        if listed is None or not isinstance(listed.value, dict):
            return {}
        for name, operation in listed.value.items():
            at = (*where, "operations", name)
            if name in (*STEPS, *ARITHMETIC):
                self.fault(listed.keys.get(name, operation.mark), at, f"'{name}' is taken: choose another name")
            parameters = operation.child("parameters")
            if parameters is not None and parameters.child(TIMES) is not None:
                message = f"'{TIMES}' says how often an operation is done: choose another name"
                self.fault(parameters.keys.get(TIMES, parameters.mark), (*at, "parameters", TIMES), message)
        return listed.value

    def body(self, operation: Node, given: Mapping[str, Node], where: Where) -> Node | None:
        """Return the events of an operation with its parameters filled in; None where it has none."""
        events = operation.child("events")
        if events is None or not isinstance(events.value, list):
            return None
        return self._filled(events, self._scope(operation.child("parameters"), given, where), where)


@dataclass(frozen=True)
class _Steps:
    """Expands operations in the steps of a program; ``chain`` are the operations that are being expanded."""

    expander: Expander
    operations: Mapping[str, Node]
    chain: tuple[str, ...] = ()

    def expanded(self, steps: Node, place: _Place) -> Node:
        """Return a list of steps with the operations expanded; in an operation, what happens 0 times is left out."""
        if not isinstance(steps.value, list):
            return steps
        found: list[Node] = []
        for index, step in enumerate(steps.value):
            if not self.expander.count_step(step.mark, place.shown):
                break
            at = _Place((*place.real, len(found)), (*place.shown, index))
            if at.real != at.shown:
                self.expander.moved(at)
            if not (self.chain and _is_nothing(step)):
                found += self._step(step, at)
        return replace(steps, value=found)

    def within(self, entries: Node, place: _Place) -> Node:
        """Return a list of mappings with the steps under ``events`` of each expanded."""
        expanded = []
        for index, entry in enumerate(entries.value if isinstance(entries.value, list) else []):
            events = entry.child("events")
            inner = self.expanded(events, place / index / "events") if events is not None else None
            expanded.append(entry if inner is None else _with(entry, {"events": inner}))
        return replace(entries, value=expanded) if isinstance(entries.value, list) else entries

    def _step(self, step: Node, place: _Place) -> Iterator[Node]:
        """Give what a step expands to: a step, or nothing."""
        if isinstance(step.value, str):
            self._tell_bare(step.value, step.mark, place)
        for name, _ in step.children():
            if isinstance(name, str) and not self._is_known(name, step, place):
                yield step
                return
        name, argument = next(step.children(), ("", step))
        if name in self.operations:
            yield from self._call(str(name), argument, step, place)
            return
        if name == "repeat":
            argument = self._repeat(argument, place / name)
            if self.chain and _is_empty(argument.child("events")):
                return
        elif name == "mix" and self.chain:
            argument = _without_nothing(argument)
        elif name == "arrivals":
            argument = self._arrivals(argument, place / name)
        yield _with(step, {str(name): argument}) if isinstance(step.value, dict) and name else step

    def _is_known(self, name: str, step: Node, place: _Place) -> bool:
        """Tell whether a step may have a key; if not, say so."""
        mark = step.keys.get(name, step.mark)
        if name in self.operations and len(list(step.children())) > 1:
            self.expander.fault(mark, place.shown, "expected one key: an operation is a step of its own")
            return False
        if name in STEPS or name in self.operations:
            return True
        near = self._instead(name, STEPS, f": neither an event kind, nor one of {', '.join(STRUCTURES)}, nor ")
        self.expander.fault(mark, (*place.shown, name), f"unknown key {shown(name)}{near}")
        return False

    def _instead(self, name: str, known: Sequence[str], otherwise: str) -> str:
        """Return what could have been meant by a name that is neither known nor that of an operation."""
        near = did_you_mean(name, [*known, *self.operations])
        if self.operations:
            return near or f"{otherwise}an operation ({', '.join(self.operations)})"
        needed = "operations need 'operations: NAME' in the workload"
        return f"{near}; {needed}" if near else f"{otherwise}an operation: {needed}"

    def _tell_bare(self, name: str, mark: Mark, place: _Place) -> None:
        """Say how a step is written of which only the name stands there."""
        if name in self.operations:
            self.expander.fault(mark, place.shown, f"expected a mapping: write '{name}: {{}}'")
        elif name in EXAMPLES:
            self.expander.fault(mark, place.shown, f"expected a mapping: write '{EXAMPLES[name]}'")

    def _check_rates(self, rates: Node, place: _Place) -> None:
        """Say which names of rates are neither an event kind nor an operation."""
        for name, rate in rates.children():
            if isinstance(name, str) and name not in (*STEPS, *self.operations):
                near = self._instead(name, ARRIVING, ", nor ")
                message = f"no event kind {shown(name)} that can arrive{near}"
                self.expander.fault(rates.keys.get(name, rate.mark), (*place.shown, "rates", name), message)

    def _repeat(self, argument: Node, place: _Place) -> Node:
        events = argument.child("events")
        return argument if events is None else _with(argument, {"events": self.expanded(events, place / "events")})

    def _arrivals(self, argument: Node, place: _Place) -> Node:
        """Expand the parts that arrive; operations among the rates become parts, too."""
        changed: dict[str, Node] = {}
        rates, of = argument.child("rates"), argument.child("of")
        parts = [self.within(of, place / "of")] if of is not None else []
        arriving = list(parts[0].value) if parts and isinstance(parts[0].value, list) else []
        if rates is not None and isinstance(rates.value, dict):
            self._check_rates(rates, place)
            operations = {name: rate for name, rate in rates.value.items() if name in self.operations}
            for name, rate in operations.items():
                at = _Place((*place.real, "of", len(arriving)), (*place.shown, "rates", name))
                arriving.append(self._arriving(name, rate, rates, at))
            changed["rates"] = replace(rates, value={k: v for k, v in rates.value.items() if k not in operations})
        if arriving:
            changed["of"] = replace(of or argument, value=arriving, keys={})
        return _with(argument, changed)

    def _arriving(self, name: str, rate: Node, rates: Node, place: _Place) -> Node:
        """Return the part of arrivals that an operation with a rate is."""
        mark = rates.keys.get(name, rate.mark)
        for key in ("rate", "events"):
            self.expander.moved(_Place((*place.real, key), place.shown))
        at = _Place((*place.real, "events", 0), place.shown[:-1])
        step = Node({name: Node({}, mark)}, mark, {name: mark})
        events = Node(list(self._call(name, Node({}, mark), step, at)), mark)
        return Node({"rate": rate, "events": events}, mark, {"rate": mark, "events": mark})

    def _call(self, name: str, argument: Node, step: Node, place: _Place) -> Iterator[Node]:
        """Give the repeat of an operation's events that a step stands for; nothing where no event is left."""
        mark, where = step.keys.get(name, step.mark), (*place.shown, name)
        if name in self.chain:
            circle = self.chain[self.chain.index(name) :]
            self.expander.fault(mark, where, f"circular: {' -> '.join([*circle, name])}")
            return
        times, given = self._arguments(name, argument, where)
        body = self.expander.body(self.operations[name], given, where)
        repeat = _Place((*place.real, "repeat"), where)
        self.expander.moved(repeat)
        self.expander.moved(_Place((*repeat.real, TIMES), where if argument.is_scalar else (*where, TIMES)))
        self.expander.moved(_Place((*repeat.real, "events"), where))
        if body is None:
            return
        inner = replace(self, chain=(*self.chain, name))
        events = inner.expanded(body, _Place((*repeat.real, "events"), where))
        if events.value:
            entries = {TIMES: times, "events": replace(events, mark=mark)}
            yield Node({"repeat": Node(entries, mark, dict.fromkeys(entries, mark))}, mark, {"repeat": mark})

    def _arguments(self, name: str, argument: Node, where: Where) -> tuple[Node, dict[str, Node]]:
        """Return how often an operation is done, and the parameters that it is given."""
        once = Node(1, argument.mark, source="1")
        if argument.is_scalar:
            if argument.value is None:
                message = "expected how often, or parameters in a mapping: write {} for once, with the defaults"
                self.expander.fault(argument.mark, where, message)
                return once, {}
            return argument, {}
        defaults = self.operations[name].child("parameters")
        known = [str(part) for part, _ in defaults.children()] if defaults is not None else []
        given: dict[str, Node] = {}
        for part, value in argument.children():
            if part in known:
                given[str(part)] = value
            elif part != TIMES:
                near = did_you_mean(str(part), [*known, TIMES]) or f" (it has {', '.join([*known, TIMES])})"
                mark = argument.keys.get(str(part), value.mark)
                message = f"the operation '{name}' has no parameter '{part}'{near}"
                self.expander.fault(mark, (*where, part), message)
        return argument.child(TIMES) or once, given


def _original(path: str, origins: Mapping[str, str]) -> str:
    """Return the path that people are shown for one of the expanded tree."""
    known = [real for real in origins if path == real or path.startswith(f"{real}.")]
    longest = max(known, key=len, default="")
    return origins[longest] + path[len(longest) :] if known else path


def _spot(fault: Fault) -> tuple[str, int, int, str]:
    """Return where a fault is; what was set on the command line stands in no line, so there the path tells."""
    return fault.file, fault.line, fault.column, "" if fault.line else fault.path


def _place(where: Where) -> _Place:
    return _Place(where, where)


def _with(node: Node, changed: Mapping[str, Node]) -> Node:
    """Return a mapping with some of its entries exchanged or added."""
    entries = dict(node.value) if isinstance(node.value, dict) else {}
    return replace(node, value={**entries, **changed}) if changed else node


def _is_arithmetic(node: Node) -> bool:
    return isinstance(node.value, dict) and len(node.value) == 1 and next(iter(node.value)) in ARITHMETIC


def _quantity_of(node: Node) -> Quantity | None:
    if isinstance(node.value, str):
        return Quantity.parse(node.value)
    if isinstance(node.value, int | Decimal) and not isinstance(node.value, bool):
        return Quantity(Fraction(node.value))
    return None


def _node_of(quantity: Quantity, mark: Mark) -> Node:
    text = str(quantity)
    if quantity.unit:
        return Node(text, mark, source=text)
    return Node(int(quantity.amount) if quantity.amount.denominator == 1 else Decimal(text), mark, source=text)


def _whole(node: Node) -> Node:
    """Return a number, a duration or a size as the nearest whole one; anything else as it is."""
    quantity = _quantity_of(node)
    if quantity is None or quantity.rounded() == quantity:
        return node
    return _node_of(quantity.rounded(), node.mark)


def _is_zero(node: Node | None) -> bool:
    return node is not None and isinstance(node.value, int) and not isinstance(node.value, bool) and node.value == 0


def _is_empty(node: Node | None) -> bool:
    return node is not None and node.value == []


def _is_nothing(step: Node) -> bool:
    """Tell whether a step says that it happens 0 times."""
    return any(
        _is_zero(value) or _is_zero(value.child("count")) or _is_zero(value.child(TIMES))
        for _, value in step.children()
    )


def _without_nothing(mix: Node) -> Node:
    """Return a mix without the events of which there are none."""
    counts = mix.child("counts")
    if counts is None or not isinstance(counts.value, dict):
        return mix
    left = {
        name: value for name, value in counts.value.items() if not (_is_zero(value) or _is_zero(value.child("count")))
    }
    return _with(mix, {"counts": replace(counts, value=left)})
