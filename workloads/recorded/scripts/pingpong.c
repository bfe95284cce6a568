/* One byte goes to and fro through two pipes, on one CPU: pingpong processes|threads TIMES. */
#define _GNU_SOURCE
#include "resident.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int there[2], back[2], times;

static void *answer(void *unused)
{
    char byte;
    for (int i = 0; i < times; i++)
        if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
            exit(1);
    return unused;
}

static void ask(void)
{
    char byte = 'x';
    for (int i = 0; i < times; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            exit(1);
}

int main(int argc, char **argv)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (argc < 3 || pipe(there) || pipe(back) || sched_setaffinity(0, sizeof one, &one))
        return 1;
    times = atoi(argv[2]);
    if (strcmp(argv[1], "threads") == 0) {
        pthread_t other;
        if (pthread_create(&other, NULL, answer, NULL))
            return 1;
        ask();
        tell_resident();
        return pthread_join(other, NULL);
    }
    pid_t child = fork();
    if (child == 0) {
        answer(NULL);
        _exit(0);
    }
    ask();
    tell_resident();
    return waitpid(child, NULL, 0) != child;
}
