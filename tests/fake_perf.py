"""A stand-in for ``perf``: what it lists, says and records stands in the JSON file that FAKE_PERF names.

``tracepoints``: what it lists; ``refuses``: what it says instead of recording; ``body``: lines of the command's task
(microseconds before the end of the recording, tracepoint, fields), before which it tells that the command executes.
"""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

ORDERS = json.loads(Path(os.environ["FAKE_PERF"]).read_text())


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


def record() -> None:
    if "refuses" in ORDERS:
        sys.exit(ORDERS["refuses"])
    control = next(text for text in sys.argv if text.startswith("--control"))
    orders, answer = map(int, re.findall(r"\d+", control))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    while text := os.read(orders, 64):
        if text == b"disable\n":
            Path(option("--output")).write_text(json.dumps({"end": time.monotonic_ns(), "argv": sys.argv}))
        os.write(answer, b"ack\n\0")


def script() -> None:
    end = json.loads(Path(option("--input")).read_text())["end"]
    pid = int(Path(ORDERS["pid_file"]).read_text())
    lines = [(30_000, "raw_syscalls:sys_enter", "NR 59 (0, 0, 0, 0, 0, 0)"), *map(tuple, ORDERS.get("body", []))]
    for microseconds, tracepoint, fields in lines:
        ns = end - 20_000_000 - 1000 * microseconds
        place = f"{'program':>16} {pid:5}/{pid:<5} [000]"
        say(f"{place} {ns // 10**9:5}.{ns % 10**9:09}: {tracepoint}: {fields}")
    for line in ORDERS.get("text", []):
        say(line)


match sys.argv[1]:
    case "list":
        say(*ORDERS["tracepoints"])
    case "record":
        record()
    case "script":
        script()
    case "--version":
        say("perf version 0.fake")
