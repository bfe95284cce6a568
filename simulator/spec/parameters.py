"""Parameters of workloads and operations: ``$name`` becomes a value, and arithmetic its exact result.

Arithmetic is ``{product: [...]}`` and ``{sum: [...]}``. Values keep their marks, so a fault points to where a value was
written: a parameter, a default, or the argument of an operation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from simulator.errors import did_you_mean
from simulator.spec.diagnostics import Diagnostics
from simulator.spec.node import Mark, Node, Where, described
from simulator.units import Quantity

ARITHMETIC = ("product", "sum")
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_-]*)")


@dataclass
class Scope:
    """The parameters that can be named at one place, and which of them were."""

    diagnostics: Diagnostics
    values: dict[str, Node] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, defaults: Node | None, given: Mapping[str, Node], where: Where, diagnostics: Diagnostics) -> Scope:
        """Return the parameters of a workload or an operation; a default may use those that stand above it."""
        scope = cls(diagnostics)
        for name, default in defaults.children() if defaults is not None else ():
            value = given.get(str(name)) or scope.filled(default, (*where, name), rounded=False)
            if not value.is_scalar or value.value is None:
                message = f"expected one value, or {{product: [...]}} or {{sum: [...]}}, found {described(value)}"
                diagnostics.fault(value.mark, (*where, name), message)
            scope.values[str(name)] = value
        return scope

    def warn_of_unused(self, parameters: Node | None, where: Where) -> None:
        """Warn of each parameter that nothing has named."""
        if parameters is None:
            return
        for name in map(str, (part for part, _ in parameters.children())):
            if name not in self.used:
                mark, message = parameters.keys.get(name, parameters.mark), f"write ${name} where it is meant"
                fault = mark.fault((*where, name), f"nothing uses this parameter: {message}")
                self.diagnostics.warnings.append(str(fault))

    def filled(self, node: Node, where: Where, rounded: bool = True) -> Node:
        """Return ``node`` with parameters and arithmetic replaced by values.

        ``rounded``: numbers, durations and sizes that come out of it are made whole, a half to even.
        """
        if _is_arithmetic(node) or (isinstance(node.value, str) and _NAME.fullmatch(node.value)):
            value = self._value(node, where)
            return _whole(value) if rounded else value
        if isinstance(node.value, dict):
            entries = {key: self.filled(child, (*where, key), rounded) for key, child in node.value.items()}
            return replace(node, value=entries)
        if isinstance(node.value, list):
            entries_of_list = enumerate(node.value)
            return replace(node, value=[self.filled(c, (*where, i), rounded) for i, c in entries_of_list])
        return node

    def _value(self, node: Node, where: Where) -> Node:
        """Return what a parameter's name, or arithmetic, stands for; what is neither stands for itself."""
        if _is_arithmetic(node):
            return self._computed(node, where)
        match = _NAME.fullmatch(node.value) if isinstance(node.value, str) else None
        if match is None:
            return node
        name = match.group(1)
        if name not in self.values:
            known = ", ".join(self.values) or "none"
            near = did_you_mean(name, self.values) or f" (known here: {known})"
            self.diagnostics.fault(node.mark, where, f"no parameter '{name}'{near}")
            return Node("", node.mark)
        self.used.add(name)
        return self.values[name]

    def _computed(self, node: Node, where: Where) -> Node:
        """Return the result of ``product`` or ``sum``, exactly; where there was a fault, empty text at its place."""
        ((name, terms),) = node.children()
        where = (*where, name)
        if not isinstance(terms.value, list) or not terms.value:
            message = f"expected a list of numbers and quantities, found {described(terms)}"
            self.diagnostics.fault(node.mark, where, message)
            return Node("", node.mark)
        values = [self._value(term, (*where, i)) for i, term in enumerate(terms.value)]
        quantities = [self._quantity(value, (*where, i)) for i, value in enumerate(values)]
        known = [quantity for quantity in quantities if quantity is not None]
        units = [quantity.unit for quantity in known if quantity.unit]
        if len(known) < len(quantities):
            return Node("", values[quantities.index(None)].mark)
        if len(units) > 1 and name == "product":
            message = f"at most one factor of a product has a unit, found {', '.join(units)}"
            self.diagnostics.fault(node.mark, where, message)
        elif len({quantity.unit for quantity in known}) > 1 and name == "sum":
            found = ", ".join(quantity.unit or "none" for quantity in known)
            self.diagnostics.fault(node.mark, where, f"all terms of a sum have one unit, found {found}")
        amounts = [quantity.amount for quantity in known]
        amount = math.prod(amounts, start=Fraction(1)) if name == "product" else sum(amounts, Fraction(0))
        return _node_of(Quantity(amount, units[0] if units else ""), node.mark)

    def _quantity(self, node: Node, where: Where) -> Quantity | None:
        quantity = _quantity_of(node)
        if quantity is None:
            message = f"expected a number or a quantity, such as '5 kHz', found {described(node)}"
            self.diagnostics.fault(node.mark, where, message)
        return quantity


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
