"""Replays kept on disk by the hash of their inputs: what a sweep has done stays done, however it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from simulator.engine.tracing import Graph
from simulator.errors import InputError
from simulator.replays import as_document, from_document, graph_as_document, graph_from_document
from simulator.result import Replayed

T = TypeVar("T")
Traced = tuple[Replayed, Graph | None]
"""A replay with its graph of waits, if it has one."""

MARK = "vmmsim-replays"
"""The file that tells a folder of replays from any other."""


class Store:
    """A folder with a file for each replay.

    A file takes its name when it is whole and on the disk. ``damaged`` are those found that hold something else, as
    after a power cut: they count as absent, and are written anew.

    Raises:
        InputError: the folder exists and holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[Path] = []
        mark = folder / MARK
        if folder.exists() and not (folder.is_dir() and (mark.is_file() or not any(folder.iterdir()))):
            raise InputError(f"{folder}: exists and is no store of replays: choose another --store")
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
        for leftover in folder.glob("*/*.tmp"):
            if not _is_running(leftover):
                leftover.unlink(missing_ok=True)

    def get(self, key: str) -> Replayed | None:
        """Return a replay; None if it is not there, or its file is damaged."""
        return self._read(key, lambda document: from_document(document["replay"]))

    def put(self, key: str, replayed: Replayed) -> None:
        """Keep a replay."""
        self._write(key, {"replay": as_document(replayed)})

    def get_traced(self, key: str) -> Traced | None:
        """Return a replay that was traced; None if it is not there, or its file is damaged."""
        return self._read(key, _traced)

    def put_traced(self, key: str, replayed: Replayed, graph: Graph | None) -> None:
        """Keep a replay that was traced; None stands for a graph that cannot be had."""
        graph_document = None if graph is None else graph_as_document(graph)
        self._write(key, {"replay": as_document(replayed), "graph": graph_document})

    def _read(self, key: str, part: Callable[[Any], T]) -> T | None:
        path = self._path(key)
        try:
            document = json.loads(path.read_bytes())
            if document["key"] != key:
                raise ValueError("it holds the replay of another key")
            return part(document)
        except FileNotFoundError:
            return None
        except (LookupError, TypeError, ValueError, AttributeError):
            self.damaged.append(path)
            return None

    def _write(self, key: str, document: Mapping[str, Any]) -> None:
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        with partial.open("w", encoding="utf-8") as file:
            json.dump({"key": key, **document}, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _traced(document: Mapping[str, Any]) -> Traced:
    graph = document["graph"]
    return from_document(document["replay"]), None if graph is None else graph_from_document(graph)


def _is_running(leftover: Path) -> bool:
    """Tell whether the process that writes a file lives, if it is one of this machine."""
    try:
        os.kill(int(leftover.name.split(".")[-2]), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
