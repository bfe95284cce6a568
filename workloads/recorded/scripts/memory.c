/* memory map TIMES: map and unmap 16 pages, touch none. memory touch TIMES: map, touch and unmap 64 pages. */
#include "resident.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        return 1;
    int touch = strcmp(argv[1], "touch") == 0;
    size_t size = (touch ? 64 : 16) * 4096ul;
    for (int times = atoi(argv[2]); times > 0; times--) {
        volatile char *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            return 1;
        for (size_t at = 0; touch && at < size; at += 4096)
            block[at] = 1;
        munmap((void *)block, size);
    }
    tell_resident();
    return 0;
}
