#!/bin/sh
. "$(dirname "$0")/common.sh"
gcc -O1 -o "$work/memory" "$here/memory.c"
record map-unmap "MIT (part of vmmsim)" "16 pages mapped and unmapped 5,000 times, none touched" "$work/memory" map 5000
record page-touch "MIT (part of vmmsim)" "64 pages mapped, touched and unmapped 200 times" "$work/memory" touch 200
