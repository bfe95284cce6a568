/* Forks a child that exits at once, waits for it, and again: forkwait TIMES. */
#include "resident.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int times = argc > 1 ? atoi(argv[1]) : 500;
    while (times-- > 0) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    tell_resident();
    return 0;
}
