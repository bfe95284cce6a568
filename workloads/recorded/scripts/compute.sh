#!/bin/sh
. "$(dirname "$0")/common.sh"
gcc -O2 -o "$work/compute" "$here/compute.c"
record compute "MIT (part of vmmsim)" "a sieve for primes below 1,000,000, 150 times over" "$work/compute" 1000000 150
