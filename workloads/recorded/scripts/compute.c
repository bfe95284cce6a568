/* Counts the primes below LIMIT with a sieve, TIMES over: compute LIMIT TIMES. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        return 1;
    long limit = atol(argv[1]), found = 0;
    char *composite = malloc(limit);
    for (int times = atoi(argv[2]); times > 0; times--) {
        memset(composite, 0, limit);
        found = 0;
        for (long n = 2; n < limit; n++) {
            if (composite[n])
                continue;
            found++;
            for (long m = n * n; m < limit; m += n)
                composite[m] = 1;
        }
    }
    printf("%ld\n", found);
    return 0;
}
