"""Several virtual CPUs at work on one state: the compiled advance, which asks for their rows in the order of time."""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.jit import bare, compiled, inlined
from simulator.engine.compiled.kernel import fits, ticks_of_step

(
    UNDER_WAY, STEP, STOP, CLOCK, BUDGET, DONE_TICKS, LAST_TICKS, MAY_ASK, LANE_COLUMNS,
) = range(9)  # fmt: skip
"""A lane for each virtual CPU: its step, its clock, the ticks that it has done, and those of its last step.

``MAY_ASK``: its turn has come at this very moment, so that it asks before anything else that happens now."""

ARRIVED, TIED, BEYOND = 3, 4, 5
"""How an advance ended, beside GROW and BAD_CODE: a lane is before its last step; one asks at the limit itself; all ask
beyond the limit."""


@compiled
def _first(lanes):
    """Return the lane whose clock is first, the lower number of equals; NONE if none is under way."""
    first = at.NONE
    for v in range(lanes.shape[0]):
        if lanes[v, UNDER_WAY] and (first == at.NONE or lanes[v, CLOCK] < lanes[first, CLOCK]):
            first = v
    return first


@compiled
def _may_ask(m, lane, row, limit):
    """Tell whether the lane whose clock is first may ask for a row now: DONE, or what hinders it."""
    if not lane[MAY_ASK] and lane[CLOCK] >= limit:
        return TIED if lane[CLOCK] == limit else BEYOND
    return fits(m, row[0], row[1], row[5], row[7])


@inlined
def _take_step(m, v, lane, row):
    """Take the next step of a lane; return whether it is the last that its budget allows."""
    ticks = ticks_of_step(m, v, lane[STEP], row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])
    lane[STEP] += 1
    if lane[DONE_TICKS] + ticks >= lane[BUDGET]:
        lane[LAST_TICKS] = ticks
        return True
    if ticks:
        lane[MAY_ASK] = 0
    lane[CLOCK] += ticks
    lane[DONE_TICKS] += ticks
    return False


@compiled
def set_out(memory, lanes, tapes, v):
    """Take the steps of one lane that take no time: nothing else happens before them. Return how that ended."""
    m, lane, tape = bare(memory), lanes[v], tapes[v]
    while lane[MAY_ASK]:
        if lane[STEP] == lane[STOP]:
            lane[LAST_TICKS] = 0
            return ARRIVED
        row = tape[lane[STEP] >> 1]
        if lane[STEP] & 1 and m[m[at.KINDS] + row[0] * at.KIND_COLUMNS + at.ASKED]:
            ended = fits(m, row[0], row[1], row[5], row[7])
            if ended != at.DONE:
                return ended
        if _take_step(m, v, lane, row):
            return ARRIVED
    return at.DONE


@compiled
def advance(memory, lanes, tapes, limit):
    """Advance all lanes up to a limit of time; return the lane that ended it, and how.

    ``tapes``: for each lane the rows of its batch, with the columns that ``kernel.walk`` takes.
    """
    m = bare(memory)
    while True:
        v = _first(lanes)
        if v == at.NONE:
            return v, BEYOND
        lane, tape = lanes[v], tapes[v]
        while True:
            if lane[STEP] == lane[STOP]:
                lane[LAST_TICKS] = 0
                return v, ARRIVED
            row = tape[lane[STEP] >> 1]
            asks = lane[STEP] & 1 and m[m[at.KINDS] + row[0] * at.KIND_COLUMNS + at.ASKED]
            if asks:
                if v != _first(lanes):
                    break
                ended = _may_ask(m, lane, row, limit)
                if ended != at.DONE:
                    return v, ended
            if _take_step(m, v, lane, row):
                return v, ARRIVED
