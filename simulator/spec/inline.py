"""Operations in the steps of a program: a step that names one becomes a ``repeat`` of its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simulator.errors import did_you_mean
from simulator.spec.diagnostics import Diagnostics, Place
from simulator.spec.node import Mark, Node, Where
from simulator.spec.parameters import ARITHMETIC, Scope
from simulator.spec.scalars import shown
from simulator.spec.steps import ARRIVING, EXAMPLES, STEPS, STRUCTURES

TIMES = "times"


def library(document: Node | None, where: Where, diagnostics: Diagnostics) -> dict[str, Node]:
    """Return the operations of a document by name; a name that a step has already is a fault."""
    listed = document.child("operations") if document is not None else None
    if listed is None or not isinstance(listed.value, dict):
        return {}
    for name, operation in listed.value.items():
        at = (*where, "operations", name)
        if name in (*STEPS, *ARITHMETIC):
            diagnostics.fault(listed.keys.get(name, operation.mark), at, f"'{name}' is taken: choose another name")
        parameters = operation.child("parameters")
        if parameters is not None and parameters.child(TIMES) is not None:
            message = f"'{TIMES}' says how often an operation is done: choose another name"
            diagnostics.fault(parameters.keys.get(TIMES, parameters.mark), (*at, "parameters", TIMES), message)
    return listed.value


@dataclass(frozen=True)
class Inliner:
    """Expands operations in the steps of a program; ``chain`` are the operations that are being expanded."""

    diagnostics: Diagnostics
    operations: Mapping[str, Node]
    chain: tuple[str, ...] = ()

    def expanded(self, steps: Node, place: Place) -> Node:
        """Return a list of steps with the operations expanded; in an operation, what happens 0 times is left out."""
        if not isinstance(steps.value, list):
            return steps
        found: list[Node] = []
        for index, step in enumerate(steps.value):
            if not self.diagnostics.count_step(step.mark, place.shown):
                break
            at = Place((*place.real, len(found)), (*place.shown, index))
            if at.real != at.shown:
                self.diagnostics.moved(at)
            if not (self.chain and _is_nothing(step)):
                found += self._step(step, at)
        return replace(steps, value=found)

    def within(self, entries: Node, place: Place) -> Node:
        """Return a list of mappings with the steps under ``events`` of each expanded."""
        expanded = []
        for index, entry in enumerate(entries.value if isinstance(entries.value, list) else []):
            events = entry.child("events")
            inner = self.expanded(events, place / index / "events") if events is not None else None
            expanded.append(entry if inner is None else entry.with_entries({"events": inner}))
        return replace(entries, value=expanded) if isinstance(entries.value, list) else entries

    def _step(self, step: Node, place: Place) -> Iterator[Node]:
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
        yield step.with_entries({str(name): argument}) if isinstance(step.value, dict) and name else step

    def _is_known(self, name: str, step: Node, place: Place) -> bool:
        """Tell whether a step may have a key; if not, say so."""
        mark = step.keys.get(name, step.mark)
        if name in self.operations and len(list(step.children())) > 1:
            self.diagnostics.fault(mark, place.shown, "expected one key: an operation is a step of its own")
            return False
        if name in STEPS or name in self.operations:
            return True
        near = self._instead(name, STEPS, f": neither an event kind, nor one of {', '.join(STRUCTURES)}, nor ")
        self.diagnostics.fault(mark, (*place.shown, name), f"unknown key {shown(name)}{near}")
        return False

    def _instead(self, name: str, known: Sequence[str], otherwise: str) -> str:
        """Return what could have been meant by a name that is neither known nor that of an operation."""
        near = did_you_mean(name, [*known, *self.operations])
        if self.operations:
            return near or f"{otherwise}an operation ({', '.join(self.operations)})"
        needed = "operations need 'operations: NAME' in the workload"
        return f"{near}; {needed}" if near else f"{otherwise}an operation: {needed}"

    def _tell_bare(self, name: str, mark: Mark, place: Place) -> None:
        """Say how a step is written of which only the name stands there."""
        if name in self.operations:
            self.diagnostics.fault(mark, place.shown, f"expected a mapping: write '{name}: {{}}'")
        elif name in EXAMPLES:
            self.diagnostics.fault(mark, place.shown, f"expected a mapping: write '{EXAMPLES[name]}'")

    def _check_rates(self, rates: Node, place: Place) -> None:
        """Say which names of rates are neither an event kind nor an operation."""
        for name, rate in rates.children():
            if isinstance(name, str) and name not in (*STEPS, *self.operations):
                near = self._instead(name, ARRIVING, ", nor ")
                message = f"no event kind {shown(name)} that can arrive{near}"
                self.diagnostics.fault(rates.keys.get(name, rate.mark), (*place.shown, "rates", name), message)

    def _repeat(self, argument: Node, place: Place) -> Node:
        events = argument.child("events")
        return (
            argument if events is None else argument.with_entries({"events": self.expanded(events, place / "events")})
        )

    def _arrivals(self, argument: Node, place: Place) -> Node:
        """Expand the parts that arrive; operations among the rates become parts, too."""
        changed: dict[str, Node] = {}
        rates, of = argument.child("rates"), argument.child("of")
        parts = [self.within(of, place / "of")] if of is not None else []
        arriving = list(parts[0].value) if parts and isinstance(parts[0].value, list) else []
        if rates is not None and isinstance(rates.value, dict):
            self._check_rates(rates, place)
            operations = {name: rate for name, rate in rates.value.items() if name in self.operations}
            for name, rate in operations.items():
                at = Place((*place.real, "of", len(arriving)), (*place.shown, "rates", name))
                arriving.append(self._arriving(name, rate, rates, at))
            changed["rates"] = replace(rates, value={k: v for k, v in rates.value.items() if k not in operations})
        if arriving:
            changed["of"] = replace(of or argument, value=arriving, keys={})
        return argument.with_entries(changed)

    def _arriving(self, name: str, rate: Node, rates: Node, place: Place) -> Node:
        """Return the part of arrivals that an operation with a rate is."""
        mark = rates.keys.get(name, rate.mark)
        for key in ("rate", "events"):
            self.diagnostics.moved(Place((*place.real, key), place.shown))
        at = Place((*place.real, "events", 0), place.shown[:-1])
        step = Node({name: Node({}, mark)}, mark, {name: mark})
        events = Node(list(self._call(name, Node({}, mark), step, at)), mark)
        return Node({"rate": rate, "events": events}, mark, {"rate": mark, "events": mark})

    def _call(self, name: str, argument: Node, step: Node, place: Place) -> Iterator[Node]:
        """Give the repeat of an operation's events that a step stands for; nothing where no event is left."""
        mark, where = step.keys.get(name, step.mark), (*place.shown, name)
        if name in self.chain:
            circle = self.chain[self.chain.index(name) :]
            self.diagnostics.fault(mark, where, f"circular: {' -> '.join([*circle, name])}")
            return
        times, given = self._arguments(name, argument, where)
        body = self._body(self.operations[name], given, where)
        repeat = Place((*place.real, "repeat"), where)
        self.diagnostics.moved(repeat)
        self.diagnostics.moved(Place((*repeat.real, TIMES), where if argument.is_scalar else (*where, TIMES)))
        self.diagnostics.moved(Place((*repeat.real, "events"), where))
        if body is None:
            return
        inner = replace(self, chain=(*self.chain, name))
        events = inner.expanded(body, Place((*repeat.real, "events"), where))
        if events.value:
            entries = {TIMES: times, "events": replace(events, mark=mark)}
            yield Node({"repeat": Node(entries, mark, dict.fromkeys(entries, mark))}, mark, {"repeat": mark})

    def _body(self, operation: Node, given: Mapping[str, Node], where: Where) -> Node | None:
        """Return the events of an operation with its parameters filled in; None where it has none."""
        events = operation.child("events")
        if events is None or not isinstance(events.value, list):
            return None
        return Scope.of(operation.child("parameters"), given, where, self.diagnostics).filled(events, where)

    def _arguments(self, name: str, argument: Node, where: Where) -> tuple[Node, dict[str, Node]]:
        """Return how often an operation is done, and the parameters that it is given."""
        once = Node(1, argument.mark, source="1")
        if argument.is_scalar:
            if argument.value is None:
                message = "expected how often, or parameters in a mapping: write {} for once, with the defaults"
                self.diagnostics.fault(argument.mark, where, message)
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
                self.diagnostics.fault(mark, (*where, part), message)
        return argument.child(TIMES) or once, given


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
    return mix.with_entries({"counts": replace(counts, value=left)})
