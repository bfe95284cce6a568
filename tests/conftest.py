"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import support

from simulator.engine import ENGINES


@pytest.fixture(params=sorted(ENGINES), scope="module")
def each_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the tests of a module once with each engine: all pass one suite."""
    support.engine = ENGINES[request.param]
    yield
    support.engine = ENGINES["reference"]
