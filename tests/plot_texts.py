"""What is written on a plot, and where."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure


def assert_apart(page: Figure) -> None:
    """Check that no text overlaps another or leaves the figure, and that none is too small for print."""
    page.draw_without_rendering()
    whole = page.bbox
    boxes = []
    for shown in texts(page):
        assert shown.get_fontsize() >= 7
        box = shown.get_window_extent()
        assert box.x0 >= -1 and box.x1 <= whole.x1 + 1 and box.y0 >= -1 and box.y1 <= whole.y1 + 1, shown.get_text()
        if shown.get_rotation() in {0, 90}:
            boxes.append((shown.get_text(), box))
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, f"{one!r} overlaps {other!r}"


def texts(page: Figure) -> Iterator[Any]:
    """Yield what is written on a page."""
    yield from page.texts
    for legend in page.legends:
        yield from legend.get_texts()
    for axes in page.axes:
        candidates = [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            labels = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
            candidates += [label for place, label in labels if low <= place <= high]
        yield from (one for one in candidates if one.get_text() and one.get_visible())
