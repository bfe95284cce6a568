#!/bin/sh
. "$(dirname "$0")/common.sh"
# Both on one CPU, so that each must be switched to: on two, they would wake each other by interrupts.
gcc -O1 -pthread -o "$work/pingpong" "$here/pingpong.c"
record pingpong-processes "MIT (part of vmmsim)" "two processes, a byte to and fro through pipes 3,000 times, on one CPU" \
    "$work/pingpong" processes 3000
record pingpong-threads "MIT (part of vmmsim)" "two threads, a byte to and fro through pipes 3,000 times, on one CPU" \
    "$work/pingpong" threads 3000
