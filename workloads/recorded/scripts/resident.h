/* Copies what the kernel says of this process's memory into the file that the environment's RESIDENT names. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void tell_resident(void)
{
    static char text[4096];
    const char *path = getenv("RESIDENT");
    if (!path)
        return;
    int from = open("/proc/self/status", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    long size = read(from, text, sizeof text);
    if (size <= 0 || write(to, text, size) != size)
        exit(1);
}
