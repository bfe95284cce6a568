#!/bin/sh
. "$(dirname "$0")/common.sh"
gcc -O1 -o "$work/forkwait" "$here/forkwait.c"
record forkwait "MIT (part of vmmsim)" "forkwait, 500 times fork, exit, wait" "$work/forkwait" 500
