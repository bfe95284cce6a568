#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <signal.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
static void tick(int s) { (void)s; }
static void *work(void *p) { volatile long n = 0; for (long i = 0; i < 300000; i++) n += i; write(*(int *)p, "t", 1); return NULL; }
int main(void) {
    int fds[2]; char c; pthread_t t;
    signal(SIGALRM, tick);
    if (pipe(fds)) return 1;
    alarm(0);
    pthread_create(&t, NULL, work, &fds[1]);
    if (read(fds[0], &c, 1) != 1) return 1;
    pthread_join(t, NULL);
    char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(m, 1, 1 << 20);
    mprotect(m, 4096, PROT_READ);
    munmap(m, 1 << 20);
    ualarm(3000, 0);
    usleep(10000);
    pid_t pid = fork();
    if (!pid) { execl("/bin/true", "true", NULL); _exit(127); }
    int status; waitpid(pid, &status, 0);
    pid = fork();
    if (!pid) { pause(); _exit(0); }
    usleep(2000); kill(pid, SIGTERM); waitpid(pid, &status, 0);
    puts("done");
    return 3;
}
