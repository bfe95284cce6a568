/* Runs a command, traced by the guest's ftrace, between two writes of port 0x80, which the host sees: window COMMAND... */
#include <err.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MARK_PORT = 0x80 };

int main(int argc, char **argv)
{
    int tracing = open("/sys/kernel/tracing/tracing_on", O_WRONLY);
    int ports = open("/dev/port", O_WRONLY);
    if (argc < 2 || tracing < 0 || ports < 0)
        err(1, "window");
    if (write(tracing, "1", 1) != 1 || pwrite(ports, "U", 1, MARK_PORT) != 1)
        err(1, "begin");
    pid_t child = fork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    if (pwrite(ports, "U", 1, MARK_PORT) != 1 || write(tracing, "0", 1) != 1)
        err(1, "end");
    return status != 0;
}
