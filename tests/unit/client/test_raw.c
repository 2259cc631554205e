/* --raw: copies, goes on over whatever a crash left, never overwrites what differs, says what this machine refuses. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/raw.h"
#include "taken.h"

#define FILE1 "mysql-bin.000001"
#define FILE2 "mysql-bin.000002"
#define SRC   "source-1"

static char dir[64];

static void new_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/client-raw-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
}

static void drop_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static const char *path_of(const char *folder, const char *file)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", dir, folder, file);
    return path;
}

/* As the program does, over a handle; the first error of raw, or 0 at END. */
static int copy(struct fake_tail *ft, struct raw *r, struct lt_err *err)
{
    struct binlogtail_options o = taken_options(ft);
    const struct binlogtail_event *ev;
    o.until_end = true;
    int rc = raw_open(r, dir, err);
    if (rc != 0)
        return rc;
    if (r->start[0] != '\0') {
        o.start = BINLOGTAIL_START_POSITION;
        o.position = r->start;
    }
    struct binlogtail *bt = taken_open(&o);
    while (rc == 0 && binlogtail_wait_event(bt, TAKEN_WAIT_MS, &ev) == 1 && ev->kind != BINLOGTAIL_END)
        rc = raw_event(r, ev, err);
    if (rc == 0)
        rc = raw_sync(r, err);
    binlogtail_close(bt);
    return rc;
}

static int copy_once(struct fake_tail *ft, struct lt_err *err)
{
    struct raw r;
    *err = (struct lt_err){0};
    int rc = copy(ft, &r, err);
    raw_close(&r);
    return rc;
}

static bool same(const struct fake_file *f, const char *folder)
{
    uint8_t *bytes = malloc(f->gen.len + 1);
    int fd = open(path_of(folder, f->name), O_RDONLY | O_CLOEXEC);
    bool equal = bytes != NULL && fd >= 0 && read(fd, bytes, f->gen.len + 1) == (ssize_t)f->gen.len &&
                 memcmp(bytes, f->gen.data, f->gen.len) == 0;
    if (fd >= 0)
        (void)close(fd);
    free(bytes);
    return equal;
}

static void put(const char *path, off_t at, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    CU_ASSERT(fd >= 0 && pwrite(fd, data, len, at) == (ssize_t)len);
    (void)close(fd);
}

static void crashes(void)
{
    struct fake_source s;
    struct lt_err err;
    new_dir();
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 20, 200);
    struct fake_file *f = fake_source_add(&s, 1, SRC, FILE2, 10, 200);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT(same(&s.files[0], "0001-" SRC) && same(f, "0001-" SRC));
    /* Cut anywhere, also in the magic. */
    for (size_t len = 0; len < f->gen.len; len += 97) {
        CU_ASSERT_EQUAL(truncate(path_of("0001-" SRC, FILE2), (off_t)len), 0);
        CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
        CU_ASSERT_TRUE(same(f, "0001-" SRC));
    }
    /* Zeros and rubbish behind the end, a torn page near it. */
    static const uint8_t zeros[5000];
    put(path_of("0001-" SRC, FILE2), (off_t)f->gen.len, zeros, sizeof zeros);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT_TRUE(same(f, "0001-" SRC));
    put(path_of("0001-" SRC, FILE2), (off_t)f->gen.len - 300, zeros, 200);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT_TRUE(same(f, "0001-" SRC));
    /* Names that are none of ours are passed over. */
    put(path_of("0001-" SRC, "notes.txt"), 0, "x", 1);
    char other[128];
    snprintf(other, sizeof other, "%s/9999", dir);
    CU_ASSERT_EQUAL(mkdir(other, 0755), 0);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    fake_tail_free(ft);
    fake_source_fini(&s);
    drop_dir();
}

/* Rows are for who copies them, and go nowhere that somebody else pointed to. */
static void only_ours(void)
{
    struct fake_source s;
    struct lt_err err;
    struct stat st = {0};
    char path[sizeof dir];
    mode_t before = umask(0);
    new_dir();
    memcpy(path, dir, sizeof path);
    strcat(dir, "/made");
    fake_source_init(&s, false);
    (void)fake_source_add(&s, 1, SRC, FILE1, 5, 200);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT(stat(dir, &st) == 0 && (st.st_mode & 07777) == 0700);
    CU_ASSERT(stat(path_of("0001-" SRC, "."), &st) == 0 && (st.st_mode & 07777) == 0700);
    CU_ASSERT(stat(path_of("0001-" SRC, FILE1), &st) == 0 && (st.st_mode & 07777) == 0600);
    /* A link instead of the file, of the folder, of all. */
    char victim[600];
    snprintf(victim, sizeof victim, "%s/victim", path);
    CU_ASSERT_EQUAL(unlink(path_of("0001-" SRC, FILE1)), 0);
    CU_ASSERT_EQUAL(symlink(victim, path_of("0001-" SRC, FILE1)), 0);
    CU_ASSERT_NOT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "symbolic link"));
    CU_ASSERT_NOT_EQUAL(access(victim, F_OK), 0);
    CU_ASSERT_EQUAL(unlink(path_of("0001-" SRC, FILE1)), 0);
    CU_ASSERT_EQUAL(rmdir(path_of("0001-" SRC, "")), 0);
    CU_ASSERT_EQUAL(mkdir(victim, 0755), 0);
    char link_path[600];
    snprintf(link_path, sizeof link_path, "%s/0001-" SRC, dir);
    CU_ASSERT_EQUAL(symlink(victim, link_path), 0);
    CU_ASSERT_EQUAL(copy_once(ft, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(unlink(link_path), 0);
    /* A folder that others may write, or that is another's. */
    CU_ASSERT_EQUAL(chmod(dir, 0777), 0);
    CU_ASSERT_EQUAL(copy_once(ft, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "chmod go-w"));
    CU_ASSERT_EQUAL(chmod(dir, 0755), 0);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    if (geteuid() == 0) {
        CU_ASSERT_EQUAL(chown(dir, 4242, 4242), 0);
        CU_ASSERT_EQUAL(copy_once(ft, &err), LT_EINVAL);
    }
    fake_tail_free(ft);
    fake_source_fini(&s);
    memcpy(dir, path, sizeof dir);
    drop_dir();
    (void)umask(before);
}

static void differences(void)
{
    struct fake_source s;
    struct fake_source other;
    struct lt_err err;
    new_dir();
    fake_source_init(&s, false);
    struct fake_file *f = fake_source_add(&s, 1, SRC, FILE1, 5, 200);
    fake_source_init(&other, false);
    other.seed = 3;
    (void)fake_source_add(&other, 1, SRC, FILE1, 5, 201);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    fake_tail_free(ft);
    /* The last transaction is another one there: as many bytes, other content. */
    uint64_t last = f->gen.len;
    other.files[0].gen.len = 0;
    gen_fini(&other.files[0].gen);
    gen_init(&other.files[0].gen, false, true);
    gen_file(&other.files[0].gen, true);
    for (unsigned i = 0; i < 4; i++)
        gen_txn(&other.files[0].gen, 200);
    gen_gtid(&other.files[0].gen);
    gen_query(&other.files[0].gen, "BEGIN");
    gen_rows(&other.files[0].gen, 190);
    gen_xid(&other.files[0].gen);
    ft = fake_tail_start(script_source, &other);
    CU_ASSERT_EQUAL(copy_once(ft, &err), LT_EDIVERGED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another one"));
    CU_ASSERT_TRUE(same(f, "0001-" SRC)); /* left alone */
    CU_ASSERT_EQUAL(f->gen.len, last);
    /* A file that is no binlog is not ours to cut. */
    put(path_of("0001-" SRC, FILE2), 0, "something of yours", 18);
    CU_ASSERT_EQUAL(copy_once(ft, &err), LT_EDIVERGED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "not a binlog"));
    fake_tail_free(ft);
    fake_source_fini(&s);
    fake_source_fini(&other);
    drop_dir();
}

static void histories(void)
{
    struct fake_source s;
    struct lt_err err;
    new_dir();
    fake_source_init(&s, true);
    (void)fake_source_add(&s, 1, SRC, FILE1, 5, 50);
    (void)fake_source_add(&s, 2, "source-2", FILE1, 6, 60);
    struct fake_tail *ft = fake_tail_start(script_source, &s);
    CU_ASSERT_EQUAL(copy_once(ft, &err), 0);
    CU_ASSERT_TRUE(same(&s.files[0], "0001-" SRC));
    CU_ASSERT_TRUE(same(&s.files[1], "0002-source-2"));
    struct raw r;
    CU_ASSERT_EQUAL(raw_open(&r, dir, &err), 0);
    CU_ASSERT_EQUAL(strncmp(r.start, "2/" FILE1 ":", 19), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(r.start, "@source-2"));
    struct raw second; /* one writer at a time */
    CU_ASSERT_EQUAL(raw_open(&second, dir, &err), LT_EBUSY);
    raw_close(&second);
    raw_close(&r);
    fake_tail_free(ft);
    fake_source_fini(&s);
    drop_dir();
}

static void this_machine(void)
{
    struct raw r;
    struct lt_err err;
    CU_ASSERT_EQUAL(raw_open(&r, "/proc/no/such", &err), LT_ESYS);
    raw_close(&r);
    CU_ASSERT_EQUAL(raw_open(&r, "/dev/null", &err), LT_ESYS);
    raw_close(&r);
    new_dir();
    CU_ASSERT_EQUAL(raw_open(&r, dir, &err), 0);
    struct binlogtail_event ev = {.kind = BINLOGTAIL_FILE_BEGIN, .position = {1, FILE1, 4, "x/y"}};
    CU_ASSERT_EQUAL(raw_event(&r, &ev, &err), LT_ESYS); /* no such folder can be made */
    ev.position.source_id = SRC;
    ev.position.offset = 500;
    CU_ASSERT_EQUAL(raw_event(&r, &ev, &err), LT_EGAP); /* its beginning is missing */
    char start[BINLOGTAIL_TOKEN_MAX];
    raw_file_start(&ev.position, start, sizeof start);
    CU_ASSERT_STRING_EQUAL(start, "1/" FILE1 ":4@" SRC);
    /* A file that can be opened but not written. (A link to /dev/full, which this was, is not followed any more.) */
    struct rlimit limit;
    struct rlimit none = {0};
    ev.position.offset = 4;
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none.rlim_max = limit.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = raw_event(&r, &ev, &err);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CU_ASSERT(rc == LT_ESYS && err.sys_errno == EFBIG);
    raw_close(&r);
    drop_dir();
}

static const struct test_case cases[] = {
    {"goes on over whatever a crash left", crashes}, {"only ours", only_ours},
    {"never overwrites what differs", differences},  {"a folder for each history, one writer", histories},
    {"what this machine refuses", this_machine},
};

int main(void)
{
    return cunit_run("raw", cases, sizeof cases / sizeof cases[0]);
}
