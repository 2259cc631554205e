/* A real socket in a temporary folder and a real event loop, stepped by the test between what its clients do. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "cunit_main.h"

#include "admin_rig.h"
#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/admin/admin_peer.h"

static unsigned runs;

static int run_echo(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)err;
    json_t *words = json_array();
    for (int i = 0; i < argc; i++)
        (void)json_array_append_new(words, json_string(argv[i]));
    *ret_answer = json_pack("{s:o, s:b}", "words", words, "end", argv[argc] == NULL);
    (*(unsigned *)arg)++;
    return LT_OK;
}

static int run_fail(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    if (argc == 1)
        return LT_ENOTFOUND;
    *ret_answer = json_pack("{s:s}", "only_here", "1-1-7");
    return lt_err_set(err, LT_EINVAL, "what is %s?", argv[1]);
}

static int run_nothing(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    (void)arg;
    (void)argc;
    (void)argv;
    (void)ret_answer;
    (void)err;
    return LT_OK;
}

static int run_big(void *arg, int argc, char **argv, json_t **ret_answer, struct lt_err *err)
{
    static char text[1500001];
    (void)argc;
    (void)argv;
    (void)err;
    memset(text, 'x', sizeof text - 1);
    *ret_answer = json_pack("{s:s}", "text", text);
    (*(unsigned *)arg)++;
    return LT_OK;
}

static const struct admin_command table[] = {
    {"echo", "WORD... Gives the words back.", run_echo},
    {"fail", "Fails.", run_fail},
    {"nothing", "Has no answer.", run_nothing},
    {"big", "Has a big one.", run_big},
};

static int open_admin(unsigned mode, const char *group, struct admin **ret_admin, struct lt_err *err)
{
    int rc = admin_open(base, path, mode, group, table, sizeof table / sizeof table[0], &runs, ret_admin, err);
    if (rc == LT_OK)
        admin_set_write_deadline(*ret_admin, 200000);
    return rc;
}

static void start(void)
{
    struct lt_err err = {0};
    runs = 0;
    base = event_base_new();
    admin = NULL;
    if (base == NULL || open_admin(0600, NULL, &admin, &err) != LT_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

static void stop(void)
{
    admin_close(admin);
    event_base_free(base);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
}

static void answers(void)
{
    start();
    int fd = connect_client();
    CU_ASSERT_STRING_EQUAL(talk(fd, "echo a \"b c\"\n", 1), "{\"words\":[\"echo\",\"a\",\"b c\"],\"end\":true}\n");
    CU_ASSERT_STRING_EQUAL(talk(fd, "nothing\r\n", 1), "{\"ok\":true}\n");
    /* Blank lines have no answer; the connection is still open. */
    CU_ASSERT_STRING_EQUAL(talk(fd, "\n  \n\r\nnothing\n", 1), "{\"ok\":true}\n");
    CU_ASSERT_STRING_EQUAL(talk(fd, "ec", 0), "");
    (void)send(fd, "ec", 2, MSG_NOSIGNAL);
    step();
    CU_ASSERT_STRING_EQUAL(talk(fd, "ho\n", 1), "{\"words\":[\"echo\"],\"end\":true}\n");
    const char *help = talk(fd, "help\n", 1);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(help, table[i].help));
    (void)close(fd);
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    stop();
}

static void errors(void)
{
    start();
    int fd = connect_client();
    CU_ASSERT_STRING_EQUAL(talk(fd, "fail\n", 1), "{\"error\":{\"code\":\"not_found\",\"message\":\"not found\"}}\n");
    CU_ASSERT_STRING_EQUAL(
        talk(fd, "fail x\n", 1),
        "{\"error\":{\"code\":\"bad_arguments\",\"message\":\"what is x?\"},\"details\":{\"only_here\":\"1-1-7\"}}\n");
    CU_ASSERT_STRING_EQUAL(
        talk(fd, "frob\n", 1),
        "{\"error\":{\"code\":\"unknown_command\",\"message\":\"there is no command frob; help lists them\"}}\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(talk(fd, "\xff\xfe\n", 1), "\"unknown_command\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(talk(fd, "echo \"x\n", 1), "\"bad_arguments\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(talk_bytes(fd, "echo\0x\n", 7, 1), "\"bad_arguments\""));
    CU_ASSERT_STRING_EQUAL(talk(fd, "nothing\n", 1), "{\"ok\":true}\n");
    (void)close(fd);
    stop();
    CU_ASSERT_STRING_EQUAL(admin_error_code(LT_EFENCED), "fenced");
    CU_ASSERT_STRING_EQUAL(admin_error_code(LT_EPROTO), "internal");
}

static void half_closed_clients_are_answered(void)
{
    start();
    int fd = connect_client();
    (void)send(fd, "echo 1\necho 2", 13, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    CU_ASSERT_STRING_EQUAL(talk(fd, "", 3),
                           "{\"words\":[\"echo\",\"1\"],\"end\":true}\n{\"words\":[\"echo\",\"2\"],\"end\":true}\n");
    CU_ASSERT(is_closed(fd));
    (void)close(fd);
    /* More than one turn's worth, and a big answer that needs several sends. */
    admin_set_write_deadline(admin, 20000000);
    fd = connect_client();
    for (int i = 0; i < 100; i++)
        (void)send(fd, "nothing\n", 8, MSG_NOSIGNAL);
    (void)send(fd, "big\n", 4, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL(strlen(talk(fd, "", 102)), 100 * strlen("{\"ok\":true}\n") + strlen("{\"text\":\"\"}\n") + 1500000);
    CU_ASSERT(is_closed(fd));
    (void)close(fd);
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    stop();
}

static void long_lines(void)
{
    static char text[ADMIN_LINE_MAX + 3];
    start();
    (void)snprintf(text, sizeof text, "%-*s", ADMIN_LINE_MAX, "nothing");
    text[ADMIN_LINE_MAX] = '\n';
    int fd = connect_client();
    CU_ASSERT_STRING_EQUAL(talk_bytes(fd, text, ADMIN_LINE_MAX + 1, 1), "{\"ok\":true}\n");
    text[ADMIN_LINE_MAX] = ' ';
    text[ADMIN_LINE_MAX + 1] = '\n';
    CU_ASSERT_PTR_NOT_NULL(strstr(talk_bytes(fd, text, ADMIN_LINE_MAX + 2, 1), "\"line_too_long\""));
    CU_ASSERT(is_closed(fd));
    (void)close(fd);
    fd = connect_client();
    CU_ASSERT_PTR_NOT_NULL(strstr(talk_bytes(fd, text, ADMIN_LINE_MAX + 1, 1), "\"line_too_long\""));
    CU_ASSERT(is_closed(fd));
    (void)close(fd);
    stop();
}

static void clients_that_do_not_read_are_closed(void)
{
    start();
    int fd = connect_client();
    /* The second big answer is not even made: more than the cap is waiting. */
    (void)send(fd, "big\nbig\nbig\n", 12, MSG_NOSIGNAL);
    step();
    CU_ASSERT_EQUAL(runs, 1);
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    (void)close(fd);

    /* Long enough for a big answer to be made on a slow machine. */
    admin_set_write_deadline(admin, 2000000);
    fd = connect_client();
    (void)send(fd, "big\n", 4, MSG_NOSIGNAL);
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 1);
    /* The deadline runs from the last byte taken: further commands do not extend it. */
    for (uint64_t began = clock_mono_us(); clock_mono_us() - began < 2500000;) {
        (void)send(fd, "\n", 1, MSG_NOSIGNAL);
        (void)usleep(10000);
        step();
    }
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    (void)close(fd);

    /* One that leaves with its answer half sent. */
    fd = connect_client();
    (void)send(fd, "big\n", 4, MSG_NOSIGNAL);
    step();
    (void)close(fd);
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    stop();
}

/* Those that hang about, silent or with half a line that grows, keep nobody out: who has done nothing for longest goes. */
static void the_idlest_makes_room(void)
{
    enum { MORE = 3 * ADMIN_CONNECTIONS_MAX };
    int fds[ADMIN_CONNECTIONS_MAX];
    int late[MORE + 1];
    start();
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++) {
        fds[i] = connect_client();
        step();
        CU_ASSERT_EQUAL(send(fds[i], "noth", 4, MSG_NOSIGNAL), 4);
        step();
    }
    CU_ASSERT_EQUAL(admin_connections(admin), ADMIN_CONNECTIONS_MAX);
    CU_ASSERT_STRING_EQUAL(talk(fds[0], "ing\n", 1), "{\"ok\":true}\n"); /* the oldest has just spoken */
    for (int i = 1; i < ADMIN_CONNECTIONS_MAX; i++)
        CU_ASSERT_EQUAL(send(fds[i], "i", 1, MSG_NOSIGNAL), 1); /* half a line is no word */
    for (int i = 1; i <= MORE; i++) {
        late[i] = connect_client();
        CU_ASSERT_STRING_EQUAL(talk(late[i], "nothing\n", 1), "{\"ok\":true}\n");
        CU_ASSERT(admin_connections(admin) <= ADMIN_CONNECTIONS_MAX);
        if (i < ADMIN_CONNECTIONS_MAX) {
            CU_ASSERT_TRUE(is_closed(fds[i]));
            (void)close(fds[i]);
        }
        if (i == 1)
            CU_ASSERT_STRING_EQUAL(talk(fds[0], "nothing\n", 1), "{\"ok\":true}\n");
    }
    for (int i = 1; i <= MORE; i++)
        (void)close(late[i]);
    (void)close(fds[0]);
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    stop();
}

/* True when the rest ended before its time. */
static bool rest_without_descriptors(void)
{
    struct rlimit before;
    start();
    int first = connect_client();
    CU_ASSERT_STRING_EQUAL(talk(first, "nothing\n", 1), "{\"ok\":true}\n");
    int fd = connect_client();
    if (getrlimit(RLIMIT_NOFILE, &before) != 0)
        abort();
    struct rlimit tight = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = before.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &tight) != 0)
        abort();
    uint64_t began = clock_mono_us();
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 1);
    /* Nothing to do while it rests: a loop that spins would return at once. */
    const struct timeval wait = {.tv_usec = 100000};
    (void)event_base_loopexit(base, &wait);
    (void)event_base_dispatch(base);
    CU_ASSERT(clock_mono_us() - began >= 90000);
    CU_ASSERT_EQUAL(admin_connections(admin), 1);
    if (setrlimit(RLIMIT_NOFILE, &before) != 0)
        abort();
    /* A closed connection ends the rest early. */
    (void)close(first);
    CU_ASSERT_STRING_EQUAL(talk(fd, "nothing\n", 1), "{\"ok\":true}\n");
    bool early = clock_mono_us() - began < 900000;
    (void)close(fd);
    stop();
    return early;
}

static void accept_rests_without_descriptors(void)
{
    bool early = false;
    for (int i = 0; i < 10 && !early; i++) /* a busy machine may be late by itself */
        early = rest_without_descriptors();
    CU_ASSERT_TRUE(early);
}

static void mode_and_group(void)
{
    struct stat st;
    struct lt_err err = {0};
    base = event_base_new();
    char group[32];
    (void)snprintf(group, sizeof group, "%u", (unsigned)getegid());
    mode_t old = umask(0077);
    CU_ASSERT_EQUAL(open_admin(0660, group, &admin, &err), LT_OK);
    (void)umask(old);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
    CU_ASSERT_EQUAL(st.st_gid, getegid());
    admin_close(admin);
    CU_ASSERT_EQUAL(open_admin(0660, "no-such-group", &admin, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no-such-group"));
    CU_ASSERT_EQUAL(open_admin(01777, NULL, &admin, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    event_base_free(base);
}

static void stale_files_are_replaced(void)
{
    struct lt_err err = {0};
    struct admin *second = NULL;
    start();
    /* One that answers is left alone, and its place taken when it goes. */
    CU_ASSERT_EQUAL(open_admin(0600, NULL, &second, &err), LT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(admin_trouble(second), "another process answers"));
    admin_close(admin);
    for (int i = 0; i < 1000 && admin_trouble(second)[0] != '\0'; i++) {
        (void)usleep(10000);
        step();
    }
    admin = second;
    int in = connect_client();
    CU_ASSERT_STRING_EQUAL(talk(in, "nothing\n", 1), "{\"ok\":true}\n");
    (void)close(in);
    stop();

    /* What a crash leaves: a bound socket that nobody listens on. */
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    (void)close(fd);
    start();
    fd = connect_client();
    CU_ASSERT_STRING_EQUAL(talk(fd, "nothing\n", 1), "{\"ok\":true}\n");
    (void)close(fd);
    stop();

    base = event_base_new();
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    CU_ASSERT_EQUAL(open_admin(0600, NULL, &second, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(unlink(path), 0);
    event_base_free(base);
}

static void somebody_elses_file_stays(void)
{
    start();
    CU_ASSERT_EQUAL(unlink(path), 0);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    admin_close(admin);
    event_base_free(base);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

static int open_at(const char *where, struct admin **ret_admin, struct lt_err *err)
{
    return admin_open(base, where, 0600, NULL, table, 1, NULL, ret_admin, err);
}

static void bad_paths(void)
{
    struct lt_err err = {0};
    struct admin *none = NULL;
    char longest[200];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    base = event_base_new();
    CU_ASSERT_EQUAL(open_at("", &none, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(open_at(longest, &none, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(open_at("/nonexistent/admin.sock", &none, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
    CU_ASSERT_PTR_NULL(none);
    admin_close(NULL);
    event_base_free(base);
}

static void close_with_open_connections(void)
{
    start();
    admin_set_write_deadline(admin, 60000000); /* a slow machine is no reason to close */
    int fd = connect_client();
    (void)send(fd, "big\n", 4, MSG_NOSIGNAL);
    step();
    int other = connect_client();
    step();
    CU_ASSERT_EQUAL(admin_connections(admin), 2);
    stop();
    (void)close(fd);
    (void)close(other);
}

static void who_is_admitted(void)
{
    struct admin_peer peer = {.uid = 1000, .n_groups = 3, .groups = {1000, 7, 9}};
    CU_ASSERT_TRUE(admin_peer_allowed(&peer, 1000, 5, 0600));
    CU_ASSERT_FALSE(admin_peer_allowed(&peer, 1001, 9, 0600));
    CU_ASSERT_TRUE(admin_peer_allowed(&peer, 1001, 9, 0660));
    CU_ASSERT_FALSE(admin_peer_allowed(&peer, 1001, 5, 0660));
    CU_ASSERT_TRUE(admin_peer_allowed(&peer, 1001, 5, 0666));
    peer.uid = 0;
    CU_ASSERT_TRUE(admin_peer_allowed(&peer, 1001, 5, 0600));
}

static void credentials_come_from_the_kernel(void)
{
    int pair[2];
    struct admin_peer peer = {0};
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_TRUE(admin_peer_of(pair[0], &peer));
    CU_ASSERT_EQUAL(peer.uid, geteuid());
    CU_ASSERT_EQUAL(peer.pid, getpid());
    CU_ASSERT_EQUAL(peer.groups[0], getegid());
    CU_ASSERT_FALSE(admin_peer_of(-1, &peer));
    (void)close(pair[0]);
    (void)close(pair[1]);
}

/* What a stranger is told; the file's mode was loosened behind our back. Only root can become a stranger. */
static void a_stranger_is_refused(void)
{
    char answer[256] = "";
    int out[2];
    if (geteuid() != 0)
        return;
    start();
    CU_ASSERT_EQUAL(chmod(path, 0666), 0);
    CU_ASSERT_EQUAL(chmod(dir, 0755), 0);
    CU_ASSERT_EQUAL(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(1);
        struct pollfd wait = {.fd = connect_client(), .events = POLLIN};
        ssize_t n = poll(&wait, 1, 20000) == 1 ? recv(wait.fd, answer, sizeof answer - 1, 0) : -1;
        _exit(n > 0 && write(out[1], answer, (size_t)n) == n ? 0 : 1);
    }
    int status = -1;
    for (int i = 0; i < 2000 && waitpid(child, &status, WNOHANG) == 0; i++) {
        step();
        (void)usleep(10000);
    }
    CU_ASSERT_EQUAL(status, 0);
    (void)close(out[1]);
    CU_ASSERT(read(out[0], answer, sizeof answer - 1) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "not_permitted"));
    CU_ASSERT_EQUAL(admin_connections(admin), 0);
    (void)close(out[0]);
    stop();
}

int main(void)
{
    static const struct test_case cases[] = {
        {"answers", answers},
        {"errors", errors},
        {"half-closed clients are answered", half_closed_clients_are_answered},
        {"long lines", long_lines},
        {"clients that do not read are closed", clients_that_do_not_read_are_closed},
        {"the idlest makes room", the_idlest_makes_room},
        {"accept rests without descriptors", accept_rests_without_descriptors},
        {"mode and group", mode_and_group},
        {"stale files are replaced", stale_files_are_replaced},
        {"somebody else's file stays", somebody_elses_file_stays},
        {"bad paths", bad_paths},
        {"who is admitted", who_is_admitted},
        {"credentials come from the kernel", credentials_come_from_the_kernel},
        {"a stranger is refused", a_stranger_is_refused},
        {"close with open connections", close_with_open_connections},
    };
    log_level_set(LOG_LEVEL_ERROR);
    return admin_rig_main("admin", cases, sizeof cases / sizeof cases[0]);
}
