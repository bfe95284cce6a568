"""The scripts of the page: BokehJS, which comes with Bokeh's package, and the page's own.

Only Bokeh's files are read. Its Python is not imported, which takes half a second: the page makes its plots itself.
"""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from simulator.errors import RunError

_BOKEH = ("bokeh.min.js", "bokeh-api.min.js")
"""The core and its plotting interface; widgets, tables, WebGL and formulas are files of their own, and left out."""
_OWN = (
    "exact.js",
    "pricing.js",
    "points.js",
    "settings.js",
    "costs.js",
    "tables.js",
    "figure.js",
    "plots.js",
    "breakeven.js",
    "main.js",
)
"""In the order in which they need one another."""


class Script(NamedTuple):
    """A script as the page takes it in, and the hash by which its policy lets it run; no other script does."""

    text: Markup
    hash: str


@cache
def scripts() -> tuple[Script, ...]:
    """Return the scripts of the page in their order.

    Raises:
        RunError: Bokeh's files are not where its package has them.
    """
    assets = Path(__file__).parent / "assets"
    return tuple(_script(path) for path in (*(_bokeh() / name for name in _BOKEH), *(assets / name for name in _OWN)))


def _bokeh() -> Path:
    spec = find_spec("bokeh")
    folder = Path(spec.origin).parent / "server" / "static" / "js" if spec and spec.origin else None
    if folder is None or not all((folder / name).is_file() for name in _BOKEH):
        raise RunError(f"the report needs {' and '.join(_BOKEH)} of the package bokeh, which is not installed whole")
    return folder


def _script(path: Path) -> Script:
    text = path.read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(text.encode()).digest()).decode("ascii")
    return Script(Markup(text), f"sha256-{digest}")
