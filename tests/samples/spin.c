#include <unistd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <pthread.h>
static int fds[2];
static void *say(void *p) { (void)p; return write(fds[1], "x", 1) == 1 ? fds : NULL; }
int main(void) {
    char c; pthread_t t; pid_t child;
    if (pipe(fds)) return 1;
    char *m = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(m, 1, 16 * 4096);
    child = fork();
    if (!child) { m[0] = 2; _exit(0); }
    waitpid(child, NULL, 0);
    pthread_create(&t, NULL, say, NULL);
    if (read(fds[0], &c, 1) != 1) return 1;
    pthread_join(t, NULL);
    munmap(m, 16 * 4096);
    usleep(2000);
    return 0;
}
