/* Runs several commands in turn, round after round, and prints what each run cost.
 *
 *     runner ROUNDS -- COMMAND [ARGUMENT ...] -- COMMAND [ARGUMENT ...] ...
 *
 * One line a run: number of the command, wall time and CPU time in nanoseconds, peak memory in KiB, bytes printed, and
 * the wait status. As sshd does, it reads the command's output from a pipe to its end and then waits for it. In turn and
 * not one after the other, so that whatever else the machine does falls on all alike. In C, because a process's own use
 * of the CPU comes from wait4, which Rust's standard library does not have. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 16 };

extern char **environ;

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long nanoseconds(struct timeval time)
{
    return time.tv_sec * 1000000000LL + time.tv_usec * 1000LL;
}

static void fail(const char *what)
{
    perror(what);
    exit(71);
}

static void run(int number, char **command)
{
    static char bytes[65536];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail("pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);

    long long began = now();
    pid_t child;
    if (posix_spawn(&child, command[0], &actions, NULL, command, environ) != 0)
        fail(command[0]);
    close(ends[1]);
    long printed = 0;
    ssize_t got;
    while ((got = read(ends[0], bytes, sizeof bytes)) > 0)
        printed += got;
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) != child)
        fail("wait4");
    long long took = now() - began;

    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    printf("%d %lld %lld %ld %ld %d\n", number, took, nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime),
           used.ru_maxrss, printed, status);
}

int main(int argc, char **argv)
{
    char **commands[COMMANDS];
    int count = 0;
    if (argc < 4)
        return 64;
    long rounds = atol(argv[1]);
    for (int at = 2; at < argc; at++) {
        if (strcmp(argv[at], "--") != 0)
            continue;
        argv[at] = NULL;
        if (count == COMMANDS || at + 1 == argc)
            return 64;
        commands[count++] = argv + at + 1;
    }
    for (long round = 0; round < rounds; round++)
        for (int number = 0; number < count; number++)
            run(number, commands[number]);
    return 0;
}
