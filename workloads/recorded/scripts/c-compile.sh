#!/bin/sh
. "$(dirname "$0")/common.sh"
# A C file of 400 functions, made here.
awk 'BEGIN {
    print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
    for (i = 0; i < 400; i++) {
        printf "static int f%d(int *a, int n) { int s = %d; for (int i = 0; i < n; i++) ", i, i
        printf "{ if (a[i] %% %d) s += a[i] * %d; else s ^= a[(i * %d) %% n]; } return s; }\n", i + 2, i + 3, i + 5
    }
    print "int main(void) { int a[64]; memset(a, 7, sizeof a); int s = 0;"
    for (i = 0; i < 400; i++) printf "s += f%d(a, 64);\n", i
    print "printf(\"%d\\n\", s); return 0; }"
}' >"$work/many.c"
gcc -O2 -c -o "$work/warm.o" "$work/many.c"
record c-compile "GPL-3.0-or-later (gcc 12 of Debian)" "gcc -O2 of a C file with 400 functions" \
    gcc -O2 -c -o "$work/many.o" "$work/many.c"
