/*
 * Happy path: proc_spawn forks, the child tells the guardian its process group and executes; proc_wait reaps and tells the
 * guardian to forget it.
 * Failure: a test that dies in any way closes the guardian's pipe; nothing else is needed from it.
 */
#include "proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT_FIRST = 12000, PORT_LAST = 31999, PATH_KEEP = 80, LOG_TAIL = 8000 };

/* Folders are the positional parameters, so that a path may hold any character but a newline. */
static const char guardian_script[] =
    "trap '' HUP INT TERM PIPE; procs=; set --\n"
    "while IFS=' ' read -r op val; do\n"
    "  case $op in\n"
    "  +p) procs=\"$procs $val\" ;;\n"
    "  -p) left=; for p in $procs; do [ \"$p\" = \"$val\" ] || left=\"$left $p\"; done; procs=$left ;;\n"
    "  +d) set -- \"$@\" \"$val\" ;;\n"
    "  esac\n"
    "done\n"
    "for p in $procs; do kill -9 \"-$p\" 2>/dev/null; done\n"
    "n=0\n"
    "while [ $# -gt 0 ] && ! rm -rf -- \"$@\" 2>/dev/null && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.1; done\n";

static int guardian_fd = -1;
static pid_t guardian_pid;
static pid_t guardian_owner;
static pthread_once_t guardian_once = PTHREAD_ONCE_INIT;

void proc_die(const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    (void)fprintf(stderr, "test support: %s\n", text);
    (void)fflush(NULL);
    _exit(1);
}

void proc_die_errno(const char *fmt, ...)
{
    int error = errno;
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    proc_die("%s: %s", text, strerrordesc_np(error));
}

char *proc_fmt(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len < 0)
        proc_die("out of memory");
    return text;
}

void proc_args_add(struct proc_args *args, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    char **v = realloc(args->v, (args->n + 2) * sizeof(*v));
    if (len < 0 || v == NULL)
        proc_die("out of memory");
    args->v = v;
    v[args->n++] = text;
    v[args->n] = NULL;
}

void proc_args_fini(struct proc_args *args)
{
    for (size_t i = 0; i < args->n; i++)
        free(args->v[i]);
    free(args->v);
    *args = (struct proc_args){0};
}

/* ---- the guardian ---- */

static void guardian_tell(const char *op, const char *value)
{
    char line[4200];
    int len = snprintf(line, sizeof(line), "%s %s\n", op, value);
    if (len > 0 && (size_t)len < sizeof(line) && write(guardian_fd, line, (size_t)len) != len)
        proc_die_errno("the guardian is gone");
}

static void guardian_tell_pid(const char *op, pid_t pid)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d", (int)pid);
    guardian_tell(op, text);
}

static void guardian_finish(void)
{
    /* A forked copy of the test must not take the servers of its parent down. */
    if (guardian_fd < 0 || getpid() != guardian_owner)
        return;
    (void)close(guardian_fd);
    guardian_fd = -1;
    while (waitpid(guardian_pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void guardian_start(void)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        proc_die_errno("pipe");
    guardian_owner = getpid();
    guardian_pid = fork();
    if (guardian_pid < 0)
        proc_die_errno("fork");
    if (guardian_pid == 0) {
        /* Its own session: the test runner kills the test's process group, and this must outlive it. */
        (void)setsid();
        if (dup2(fds[0], 0) < 0)
            _exit(127);
        /* The runner waits for the end of the test's output; holding it open would look like a hang. */
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0 && dup2(null, 1) >= 0)
            (void)dup2(null, 2);
        (void)execl("/bin/sh", "sh", "-c", guardian_script, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[0]);
    guardian_fd = fds[1];
    if (atexit(guardian_finish) != 0)
        proc_die("atexit failed");
}

static void guardian_need(void)
{
    (void)pthread_once(&guardian_once, guardian_start);
}

/* ---- files and folders ---- */

char *proc_read_file(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t cap = 1 << 16;
    size_t len = 0;
    char *text = malloc(cap);
    for (;;) {
        if (text == NULL)
            proc_die("out of memory for %s", path);
        ssize_t n = read(fd, text + len, cap - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            proc_die_errno("reading %s", path);
        if (n == 0)
            break;
        len += (size_t)n;
        if (cap - len < 2)
            text = realloc(text, cap *= 2);
    }
    (void)close(fd);
    text[len] = '\0';
    if (ret_len != NULL)
        *ret_len = len;
    return text;
}

void proc_show_log(const char *path)
{
    size_t len = 0;
    char *log = proc_read_file(path, &len);
    const char *tail = log != NULL && len > LOG_TAIL ? log + len - LOG_TAIL : log;
    (void)fprintf(stderr, "---- the end of %s ----\n%s\n", path, tail != NULL ? tail : "(none)");
    free(log);
}

void proc_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    if (f == NULL)
        proc_die_errno("%s", path);
    if (fputs(text, f) < 0 || fclose(f) != 0)
        proc_die_errno("writing %s", path);
}

char *proc_tempdir(void)
{
    guardian_need();
    const char *base = secure_getenv("LT_TMP");
    char *dir = proc_fmt("%s/lt-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    /* A Unix socket's path must fit in 108 bytes, file name included. */
    if (strlen(dir) > PATH_KEEP)
        proc_die("LT_TMP is too long for Unix sockets: %s", dir);
    if (mkdtemp(dir) == NULL)
        proc_die_errno("mkdtemp %s", dir);
    guardian_tell("+d", dir);
    return dir;
}

void proc_remove_dir(const char *dir)
{
    char *argv[] = {"rm", "-rf", "--", (char *)dir, NULL};
    if (proc_run(argv, NULL, NULL) != 0)
        (void)fprintf(stderr, "test support: cannot remove %s yet\n", dir);
}

static bool port_is_free(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        proc_die_errno("socket");
    int one = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
              bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
    (void)close(fd);
    return ok;
}

uint16_t proc_free_port(void)
{
    for (int i = 0; i < 200; i++) {
        uint16_t r;
        if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
            proc_die_errno("getrandom");
        uint16_t port = (uint16_t)(PORT_FIRST + r % (PORT_LAST - PORT_FIRST + 1));
        if (port_is_free(port))
            return port;
    }
    proc_die("no free port between %d and %d", PORT_FIRST, PORT_LAST);
}

/* ---- processes ---- */

/* Runs in the child: only what may be called after fork in a program with threads. */
_Noreturn static void child_exec(char *const argv[], int in, int out)
{
    (void)setpgid(0, 0);
    guardian_tell_pid("+p", getpid());
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGPIPE, &usual, NULL);
    if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
        (void)execvp(argv[0], argv);
    static const char msg[] = "cannot execute the program\n";
    (void)!write(2, msg, sizeof(msg) - 1);
    _exit(127);
}

static pid_t start(char *const argv[], const char *in_path, const char *out_path, int out_flags)
{
    guardian_need();
    const char *from = in_path != NULL ? in_path : "/dev/null", *to = out_path != NULL ? out_path : "/dev/null";
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC | out_flags, 0644);
    if (in < 0 || out < 0)
        proc_die_errno("opening %s for %s", in < 0 ? from : to, argv[0]);
    pid_t pid = fork();
    if (pid < 0)
        proc_die_errno("fork");
    if (pid == 0)
        child_exec(argv, in, out);
    (void)setpgid(pid, pid); /* on both sides: whoever comes first, the group exists before it is signalled */
    (void)close(in);
    (void)close(out);
    return pid;
}

pid_t proc_spawn(char *const argv[], const char *log_path)
{
    return start(argv, NULL, log_path, O_APPEND);
}

int proc_run(char *const argv[], const char *in_path, const char *out_path)
{
    pid_t pid = start(argv, in_path, out_path, O_TRUNC);
    int status;
    while (!proc_wait(pid, 1000, &status))
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void proc_signal(pid_t pid, int sig)
{
    if (pid > 0)
        (void)kill(-pid, sig);
}

bool proc_wait(pid_t pid, unsigned timeout_ms, int *ret_status)
{
    uint64_t end = proc_now_ms() + timeout_ms;
    unsigned nap = 1;
    for (;;) {
        int status;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid) {
            guardian_tell_pid("-p", pid);
            if (ret_status != NULL)
                *ret_status = status;
            return true;
        }
        if (got < 0 && errno != EINTR)
            proc_die_errno("waitpid %d", (int)pid);
        if (proc_now_ms() >= end)
            return false;
        proc_sleep_ms(nap);
        nap = nap < 16 ? nap * 2 : 20;
    }
}

/* ---- time ---- */

uint64_t proc_now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void proc_sleep_ms(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        continue;
}
