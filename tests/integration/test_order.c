/* The kernel's own record of the order: no ACK leaves while a written byte is not synced (case 35), over strace. */
#include "rig.h"

/* What the lines of `strace -f -e pwrite64,fdatasync,sendto` say about the ingest thread. */
struct order {
    long thread; /* which sends ACKs; other threads write files of their own, of which no ACK speaks */
    bool dirty;  /* written and not synced */
    unsigned writes;
    unsigned syncs;
    unsigned acks;
    unsigned acks_while_dirty;
};

static bool is_ack(const char *line)
{
    const char *call = strstr(line, "sendto(");
    return call != NULL && strstr(call, "\\0\\0\\0\\357") != NULL;
}

static void judge(struct order *o, const char *line)
{
    if (strtol(line, NULL, 10) != o->thread)
        return;
    const char *call = strstr(line, "pwrite64(");
    if (call != NULL) {
        const char *data = strchr(call, '"');
        /* Zeros written ahead of the data hold nothing that an ACK could cover. */
        if (data == NULL || strncmp(data + 1, "\\0\\0\\0\\0", 8) != 0) {
            o->dirty = true;
            o->writes++;
        }
    } else if (strstr(line, "fdatasync") != NULL && strstr(line, "= 0") != NULL) {
        o->dirty = false;
        o->syncs++;
    } else if (is_ack(line)) {
        o->acks++;
        if (o->dirty)
            o->acks_while_dirty++;
    }
}

static long ack_thread(const char *trace)
{
    for (const char *line = trace; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        const char *end = strchrnul(line, '\n');
        char *one = strndup(line, (size_t)(end - line));
        bool found = one != NULL && is_ack(one);
        free(one);
        if (found)
            return strtol(line, NULL, 10);
    }
    return -1;
}

/* One ACK may let many commits go, so it is ACKs that are waited for. */
static void wait_for_acks(struct rig *r, int64_t n)
{
    uint64_t end = proc_now_ms() + RIG_WAIT_MS;
    while (rig_status_number(r, "acks", "sent") < n && proc_now_ms() < end)
        proc_sleep_ms(20);
}

static void test_no_ack_before_its_sync(void)
{
    struct rig r;
    rig_start_server(&r, NULL, false);
    char *dir = proc_tempdir();
    char *trace = proc_fmt("%s/trace", dir);
    /* The leak checker of a sanitized build cannot work on a traced process, and fails it; the other tests have it. */
    const char *asan = secure_getenv("ASAN_OPTIONS");
    char *options = proc_fmt("ASAN_OPTIONS=%s:detect_leaks=0", asan != NULL ? asan : "");
    char *wrapper[] = {"strace", "-E",  options, "-f", "-qq", "-s", "24", "-e", "trace=pwrite64,fdatasync,sendto",
                       "-o",     trace, NULL};
    struct daemon_options opt = {
        .server = r.srv, .settings = (char *[]){"source.ssl_mode=DISABLED", NULL}, .wrapper = wrapper};
    r.dm = daemon_start(&opt);
    CU_ASSERT_TRUE(daemon_wait_state(r.dm, "streaming", RIG_WAIT_MS));
    struct writers *wr = writers_start(&(struct writers_options){.server = r.srv, .threads = 8});
    CU_ASSERT_TRUE(writers_wait_oked(wr, rig_rounds(400, 20000), RIG_WAIT_MS));
    wait_for_acks(&r, 200);
    writers_stop(wr, RIG_WAIT_MS);
    rig_check_identical(&r);
    CU_ASSERT_EQUAL(daemon_stop(r.dm), 0);
    size_t len = 0;
    char *text = proc_read_file(trace, &len);
    struct order o = {.thread = text != NULL ? ack_thread(text) : -1};
    char *save = NULL;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line != NULL; line = strtok_r(NULL, "\n", &save))
        judge(&o, line);
    printf("\n  %u writes, %u syncs, %u ACKs ", o.writes, o.syncs, o.acks);
    CU_ASSERT(o.acks > 100 && o.writes > 100 && o.syncs > 100);
    CU_ASSERT_EQUAL(o.acks_while_dirty, 0);
    free(text);
    writers_free(wr);
    free(options);
    free(trace);
    free(dir);
    rig_end(&r);
}

static const struct test_case cases[] = {{"no ACK before its sync", test_no_ack_before_its_sync}};

int main(int argc, char **argv)
{
    return rig_main(argc, argv, "order", cases, sizeof cases / sizeof cases[0]);
}
