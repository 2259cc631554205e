/* The rules between keys, loading from files, and where the password comes from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cunit_main.h"

#include "daemon/conf.h"

#define BASE "[source]\nhost = db1\nuser = repl\n[store]\ndir = /d\n"

static char dir[64];
static char path[128];

static const char *write_file(const char *name, const char *text, size_t len, mode_t mode)
{
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0 || chmod(path, mode) != 0)
        abort();
    return path;
}

static int finish(const char *text, struct lt_err *err)
{
    struct conf conf;
    if (conf_init(&conf, err) != LT_OK)
        return LT_ENOMEM;
    int rc = conf_parse_text(&conf, "test.ini", text, strlen(text), err);
    if (rc == LT_OK)
        rc = conf_finish(&conf, err);
    conf_fini(&conf);
    return rc;
}

static void what_is_required(void)
{
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(finish(BASE, &err), LT_OK);
    CU_ASSERT_EQUAL(finish("[source]\nhost = h\nuser = u\n", &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "store.dir is required"));
    CU_ASSERT_EQUAL(finish("[source]\nuser = u\n[store]\ndir = /d\n", &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "source.host or source.socket is required"));
    CU_ASSERT_EQUAL(finish("[source]\nhost = h\n[store]\ndir = /d\n", &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "source.user is required"));
    CU_ASSERT_EQUAL(finish("[source]\nsocket = /s\nuser = u\n[store]\ndir = /d\n", &err), LT_OK);
}

static void rules_between_keys(void)
{
    static const struct {
        const char *text;
        const char *expect; /* NULL: accepted */
    } cases[] = {
        {BASE "[source]\nsocket = /s\n", "source.host and source.socket exclude each other"},
        {BASE "[source]\npassword_file = /dev/null\ndefaults_file = /dev/null\n", "exclude each other"},
        {BASE "[source]\nssl_mode = VERIFY_CA\n", "source.ssl_ca is required"},
        {BASE "[source]\nssl_mode = VERIFY_IDENTITY\n", "source.ssl_ca is required"},
        {BASE "[source]\nssl_mode = VERIFY_CA\nssl_ca = /dev/null\n", NULL},
        {BASE "[source]\nssl_mode = REQUIRED\n", NULL},
        {"[source]\nsocket = /s\nuser = u\nssl_mode = VERIFY_IDENTITY\nssl_ca = /dev/null\n[store]\ndir = /d\n",
         "source.host"},
        {BASE "[source]\nssl_cert = /dev/null\n", "source.ssl_cert and source.ssl_key"},
        {BASE "[source]\nssl_key = /dev/null\n", "source.ssl_cert and source.ssl_key"},
        {BASE "[source]\nssl_key = /dev/null\nssl_cert = /dev/null\n", NULL},
        {BASE "[source]\nretry_min = 11s\n", "source.retry_min is longer"},
        {BASE "[source]\npassword_file = /nonexistent/pw\n",
         "source.password_file: cannot read /nonexistent/pw: No such file"},
        {BASE "[tail]\nusers_file = /\n", "tail.users_file: / is a folder"},
        {BASE "[tail]\nssl_cert = /dev/null\n", "tail.ssl_cert and tail.ssl_key"},
        {BASE "[tail]\nssl_ca = /dev/null\n", "tail.ssl_ca needs"},
        {BASE "[tail]\nssl_crl = /dev/null\n", "tail.ssl_crl needs tail.ssl_ca"},
        {BASE "[tail]\nlisten = 0.0.0.0:1\n", "tail.listen is open beyond loopback"},
        {BASE "[replicas]\nlisten = 0.0.0.0:1\n", "replicas.listen is open beyond loopback"},
        {BASE "[replicas]\nlisten = [::]:1\nallow_anonymous = loopback\n", "replicas.listen is open beyond loopback"},
        {BASE "[replicas]\nssl_cert = /dev/null\n", "replicas.ssl_cert and replicas.ssl_key come together"},
        {BASE "[replicas]\nssl_ca = /dev/null\n", "replicas.ssl_ca needs replicas.ssl_cert"},
        {BASE "[http]\nlisten = [::]:1\n",
         "http.listen is open beyond loopback: set http.users_file, http.ssl_cert and"},
        {BASE "[http]\nlisten = [::]:1\n[tail]\nusers_file = /dev/null\n", "http.listen is open beyond loopback"},
        {BASE "[http]\nlisten = [::]:1\n[tail]\nallow_anonymous = yes\n", "http.listen is open beyond loopback"},
        {BASE "[http]\nlisten = [::]:1\nusers_file = /dev/null\n", "http.users_file with http.ssl_cert"},
        {BASE "[http]\nlisten = [::]:1\nssl_cert = /dev/null\nssl_key = /dev/null\n", "http.listen is open"},
        {BASE "[http]\nlisten = [::]:1\nallow_anonymous = loopback\n", "http.listen is open beyond loopback"},
        {BASE "[http]\nlisten = [::]:1\nallow_anonymous = yes\n", NULL},
        {BASE "[http]\nlisten = [::]:1\nusers_file = /dev/null\nssl_cert = /dev/null\nssl_key = /dev/null\n", NULL},
        {BASE "[http]\nlisten = [::1]:1\nusers_file = /dev/null\n", NULL},
        {BASE "[http]\nssl_cert = /dev/null\n", "http.ssl_cert and http.ssl_key"},
        {BASE "[tail]\nlisten = 0.0.0.0:1\nallow_anonymous = yes\n", NULL},
        {BASE "[tail]\nlisten = 0.0.0.0:1\nallow_anonymous = loopback\n", "tail.listen is open beyond loopback"},
        {BASE "[tail]\nlisten = 0.0.0.0:1\nallow_anonymous = no\n", "tail.listen is open beyond loopback"},
        {BASE "[tail]\nlisten = 0.0.0.0:1\nusers_file = /dev/null\n", NULL},
        {BASE "[tail]\nlisten = 0.0.0.0:1\nssl_cert=/dev/null\nssl_key=/dev/null\n", "open beyond loopback"},
        {BASE "[tail]\nlisten = h:1\nssl_ca=/dev/null\nssl_cert=/dev/null\nssl_key=/dev/null\n", NULL},
        {BASE "[tail]\nlisten = off\n[http]\nlisten = localhost:1\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lt_err err = {0};
        int rc = finish(cases[i].text, &err);
        CU_ASSERT_EQUAL(rc, cases[i].expect != NULL ? LT_EINVAL : LT_OK);
        if (cases[i].expect != NULL)
            CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].expect));
    }
}

static void socket_goes_into_dir(void)
{
    struct conf conf;
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(conf_init(&conf, &err), LT_OK);
    CU_ASSERT_EQUAL(conf_parse_text(&conf, "t", BASE, strlen(BASE), &err), LT_OK);
    CU_ASSERT_EQUAL(conf_finish(&conf, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(conf.admin.socket, "/d/admin.sock");
    conf_fini(&conf);
    char text[400];
    (void)snprintf(text, sizeof text, "[store]\ndir = /%0120d\n", 0);
    CU_ASSERT_EQUAL(finish(text, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "admin.socket"));
    (void)snprintf(text, sizeof text, "[admin]\nsocket = /%0120d\n", 0);
    CU_ASSERT_EQUAL(finish(text, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "admin.socket"));
}

static void load_reads_a_file(void)
{
    struct conf conf;
    struct lt_err err = {0};
    static const char *const sets[] = {"source.port=4000", "source.port=4001"};
    const char *file = write_file("ok.ini", BASE, strlen(BASE), 0600);
    CU_ASSERT_EQUAL(conf_load(&conf, file, sets, 2, &err), LT_OK);
    CU_ASSERT_EQUAL(conf.source.port, 4001);
    CU_ASSERT_STRING_EQUAL(conf.source.host, "db1");
    conf_fini(&conf);
    static const char *const bad_set[] = {"source.port=x"};
    CU_ASSERT_EQUAL(conf_load(&conf, file, bad_set, 1, &err), LT_EINVAL);
    CU_ASSERT_EQUAL(conf_load(&conf, "/nonexistent/x.ini", NULL, 0, &err), LT_ESYS);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/x.ini: No such file"));
    CU_ASSERT_EQUAL(err.sys_errno, ENOENT);
    CU_ASSERT_EQUAL(conf_load(&conf, dir, NULL, 0, &err), LT_ESYS);
    CU_ASSERT_EQUAL(conf_load(&conf, "/dev/zero", NULL, 0, &err), LT_EINVAL);
    file = write_file("bad.ini", "[log]\nlevel=x\n", 14, 0600);
    CU_ASSERT_EQUAL(conf_load(&conf, file, NULL, 0, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/bad.ini:2: log.level"));
}

static int read_password(const char *key, const char *text, size_t len, mode_t mode, char *buf, size_t cap,
                         bool *exposed, struct lt_err *err)
{
    char set[200];
    struct conf conf;
    (void)snprintf(set, sizeof set, "source.%s=%s", key, write_file("secret", text, len, mode));
    if (conf_init(&conf, err) != LT_OK || conf_set(&conf, set, err) != LT_OK)
        abort();
    int rc = conf_read_password(&conf, buf, cap, exposed, err);
    conf_fini(&conf);
    return rc;
}

static void password_files(void)
{
    static const struct {
        const char *text;
        const char *password; /* NULL: refused */
    } cases[] = {
        {"s3cret\n", "s3cret"},
        {"s3cret", "s3cret"},
        {"s3cret\r\n", "s3cret"},
        {" a b#c;d \nsecond\n", " a b#c;d "},
        {"\xc3\xa9\n", "\xc3\xa9"},
        {"", NULL},
        {"\nx\n", NULL},
        {"0123456789012345678901234567890123456789", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[32] = "before";
        bool exposed = true;
        struct lt_err err = {0};
        int rc =
            read_password("password_file", cases[i].text, strlen(cases[i].text), 0600, buf, sizeof buf, &exposed, &err);
        CU_ASSERT_EQUAL(rc == LT_OK, cases[i].password != NULL);
        CU_ASSERT_STRING_EQUAL(buf, cases[i].password != NULL ? cases[i].password : "before");
        CU_ASSERT_EQUAL(exposed, rc != LT_OK);
        if (rc != LT_OK)
            CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/secret"));
        CU_ASSERT_PTR_NULL(strstr(err.text, "0123456789"));
    }
    char buf[32];
    CU_ASSERT_EQUAL(read_password("password_file", "a\0b\n", 4, 0600, buf, sizeof buf, NULL, NULL), LT_EINVAL);
}

static void exposed_files_are_noticed(void)
{
    char buf[32];
    bool exposed = false;
    CU_ASSERT_EQUAL(read_password("password_file", "pw", 2, 0644, buf, sizeof buf, &exposed, NULL), LT_OK);
    CU_ASSERT(exposed);
    CU_ASSERT_EQUAL(read_password("password_file", "pw", 2, 0640, buf, sizeof buf, &exposed, NULL), LT_OK);
    CU_ASSERT(!exposed);
}

static void option_files(void)
{
    static const struct {
        const char *text;
        const char *password;
    } cases[] = {
        {"[client]\npassword=pw\n", "pw"},
        {"[mysqld]\npassword=no\n[client]\nuser=u\n password = pw # c\n[other]\npassword=no\n", "pw"},
        {"[client]\npassword='a # b'\n", "a # b"},
        {"[client]\npassword=\"a;b \\\\ \\s\\\"\"\n", "a;b \\  \""},
        {"[client]\npassword=1\npassword=2\n", "2"},
        {"# [client]\n[client] # ours\r\npassword=pw\r\n", "pw"},
        {"[client]\npassword=\n", ""},
        {"[client]\n;password=pw\n#password=pw\npassword\n", NULL},
        {"[client-x]\npassword=pw\n", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[32] = "before";
        struct lt_err err = {0};
        int rc =
            read_password("defaults_file", cases[i].text, strlen(cases[i].text), 0600, buf, sizeof buf, NULL, &err);
        CU_ASSERT_EQUAL(rc == LT_OK, cases[i].password != NULL);
        CU_ASSERT_STRING_EQUAL(buf, cases[i].password != NULL ? cases[i].password : "before");
        if (rc != LT_OK)
            CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "source.defaults_file: "));
    }
}

static void odd_password_files(void)
{
    struct conf conf;
    struct lt_err err = {0};
    char buf[32] = "before";
    bool exposed = true;
    CU_ASSERT_EQUAL(conf_init(&conf, &err), LT_OK);
    CU_ASSERT_EQUAL(conf_read_password(&conf, buf, sizeof buf, &exposed, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(buf, "");
    CU_ASSERT(!exposed);
    CU_ASSERT_EQUAL(conf_set(&conf, "source.password_file=/nonexistent/pw", &err), LT_OK);
    CU_ASSERT_EQUAL(conf_read_password(&conf, buf, sizeof buf, NULL, &err), LT_ESYS);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "source.password_file: cannot open /nonexistent/pw"));
    CU_ASSERT_EQUAL(conf_set(&conf, "source.password_file=/", &err), LT_OK);
    CU_ASSERT_EQUAL(conf_read_password(&conf, buf, sizeof buf, NULL, &err), LT_ESYS);
    CU_ASSERT_EQUAL(conf_set(&conf, "source.password_file=/dev/zero", &err), LT_OK);
    CU_ASSERT_EQUAL(conf_read_password(&conf, buf, sizeof buf, NULL, &err), LT_EINVAL);
    conf_fini(&conf);
}

static int parsed(struct conf *conf, const char *text, struct lt_err *err)
{
    int rc = conf_init(conf, err);
    if (rc == LT_OK)
        rc = conf_parse_text(conf, "test.ini", text, strlen(text), err);
    return rc == LT_OK ? conf_finish(conf, err) : rc;
}

/* Reloadable keys of the new file, all else of what runs; judged as that, not as what the file says. */
static void what_a_reload_takes(void)
{
    struct conf running;
    struct conf fresh;
    struct conf next;
    struct lt_err err = {0};
    CU_ASSERT_EQUAL(parsed(&running, BASE "[tail]\nlisten = 0.0.0.0:1\nusers_file = /dev/null\n", &err), LT_OK);
    CU_ASSERT_EQUAL(parsed(&fresh,
                           "[source]\nhost = db2\nuser = u\nretry_max = 20s\n[store]\ndir = /e\n[tail]\nlisten = "
                           "127.0.0.1:2\nusers_file = /dev/zero\nmax_consumers = 5\n[log]\nlevel = debug\n",
                           &err),
                    LT_OK);
    CU_ASSERT_EQUAL_FATAL(conf_next(&running, &fresh, &next, &err), LT_OK);
    CU_ASSERT_STRING_EQUAL(next.source.host, "db1");
    CU_ASSERT_STRING_EQUAL(next.admin.socket, "/d/admin.sock");
    CU_ASSERT(next.tail.listen.port == 1 && !next.tail.listen.loopback);
    CU_ASSERT_STRING_EQUAL(next.tail.users_file, "/dev/zero");
    CU_ASSERT(next.tail.max_consumers == 5 && next.source.retry_max_us == 20000000);
    /* taken over, and back: what a reload does not change stays the very text that parts borrow */
    const char *host = running.source.host;
    const char *start = running.source.start;
    conf_exchange(&running, &next);
    CU_ASSERT_PTR_EQUAL(running.source.host, host);
    CU_ASSERT_PTR_EQUAL(running.source.start, start);
    CU_ASSERT_STRING_EQUAL(running.tail.users_file, "/dev/zero");
    CU_ASSERT_STRING_EQUAL(next.tail.users_file, "/dev/null");
    CU_ASSERT(running.tail.max_consumers == 5 && next.tail.max_consumers == 10000);
    conf_exchange(&running, &next);
    conf_fini(&next);
    /* good for loopback; not for what runs */
    CU_ASSERT_EQUAL(conf_set(&fresh, "tail.users_file=", &err), LT_OK);
    CU_ASSERT_EQUAL(conf_finish(&fresh, &err), LT_OK);
    CU_ASSERT_EQUAL(conf_next(&running, &fresh, &next, &err), LT_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "with what needs a restart left as it is"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tail.listen is open beyond loopback"));
    CU_ASSERT_STRING_EQUAL(running.tail.users_file, "/dev/null");
    CU_ASSERT(running.tail.max_consumers == 10000 && fresh.tail.max_consumers == 5);
    conf_fini(&running);
    conf_fini(&fresh);
}

int main(void)
{
    static const struct test_case cases[] = {
        {"what is required", what_is_required},
        {"rules between keys", rules_between_keys},
        {"the socket goes into the folder", socket_goes_into_dir},
        {"load reads a file", load_reads_a_file},
        {"password files", password_files},
        {"exposed files are noticed", exposed_files_are_noticed},
        {"option files", option_files},
        {"odd password files", odd_password_files},
        {"what a reload takes", what_a_reload_takes},
    };
    (void)snprintf(dir, sizeof dir, "/tmp/test_conf.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    int bad = cunit_run("conf rules", cases, sizeof cases / sizeof cases[0]);
    static const char *const files[] = {"ok.ini", "bad.ini", "secret"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return bad;
}
