"""The header of a stream: what it says of itself, as JSON in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from simulator.events import BY_CODE
from simulator.stream.columns import COLUMNS
from simulator.units import MOST_NANOSECONDS

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a stream says of itself.

    ``recorded_ns`` is the wall time of the recording (0 for synthetic streams), ``provenance`` says where and how it
    was made, ``history`` what was done with it since (``workload.history``), ``tasks`` names tasks by number,
    ``devices`` are the names that the column ``device`` indexes.
    """

    title: str
    vcpus: int = 1
    recorded_ns: int = 0
    devices: tuple[str, ...] = ()
    tasks: Mapping[int, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    version: int = FORMAT_VERSION
    history: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> str:
        """Return the header as JSON, with the dictionaries of event kinds and columns: a file explains itself."""
        document = asdict(self)
        document["tasks"] = {str(number): name for number, name in sorted(self.tasks.items())}
        document["clock"] = "1 GHz: durations are whole nanoseconds"
        document["kinds"] = {str(code): kind.name for code, kind in BY_CODE.items()}
        document["columns"] = {column.name: column.about for column in COLUMNS}
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: the text is something else.
        """
        document = json.loads(text)
        if not 0 <= int(document["recorded_ns"]) <= MOST_NANOSECONDS:
            raise ValueError(f"recorded_ns is {document['recorded_ns']}, expected 0 to 10^16")
        return cls(
            title=str(document["title"]),
            vcpus=int(document["vcpus"]),
            recorded_ns=int(document["recorded_ns"]),
            devices=tuple(map(str, document["devices"])),
            tasks={int(number): str(name) for number, name in document["tasks"].items()},
            provenance=dict(document["provenance"]),
            version=int(document["version"]),
            history=_checked_history(document.get("history", ())),
        )


def _checked_history(entries: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return a history if its entries have what ``workload.history`` says."""
    for entry in entries:
        str(entry["operation"]), str(entry["tool"]), dict(entry["parameters"])
        for source in entry["inputs"]:
            str(source["title"]), str(source["content_sha256"]), dict(source.get("provenance", {}))
            _checked_history(source.get("history", ()))
    return tuple(map(dict, entries))
