#include "serve_rig.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc.h"

static void must(int rc, const struct lt_err *err)
{
    if (rc != 0)
        proc_die("%s", err->text);
}

void serve_rig_store(struct serve_rig *r, bool mariadb)
{
    struct lt_err err;
    *r = (struct serve_rig){0};
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/lt_serve_XXXXXX");
    if (mkdtemp(r->dir) == NULL)
        proc_die_errno("mkdtemp");
    struct store_options so = {.dir = r->dir, .allow_unsafe_fs = true, .prewrite = true, .prewrite_bytes = 65536};
    must(store_open(&so, &vfs_posix, &r->store, &err), &err);
    gen_init(&r->gen, mariadb, true);
}

bool serve_rig_serve(struct serve_rig *r, const struct serve_options *opt)
{
    struct lt_err err;
    r->opt = opt != NULL ? *opt : (struct serve_options){0};
    r->opt.store = r->store;
    r->opt.agent = r->opt.agent != NULL ? r->opt.agent : "logtailerd test";
    r->opt.host = r->opt.host != NULL ? r->opt.host : "127.0.0.1";
    if (r->opt.threads == 0)
        r->opt.threads = 2;
    int rc = serve_start(&r->opt, &r->serve, &err);
    if (rc != 0)
        (void)fprintf(stderr, "serve_start: %s\n", err.text);
    return rc == 0;
}

static void begin_file(struct serve_rig *r)
{
    struct lt_err err;
    char name[32];
    (void)snprintf(name, sizeof name, "mysql-bin.%06u", ++r->file);
    must(store_segment_begin(r->store, name, &err), &err);
    gen_file(&r->gen, true);
    r->fed = BINLOG_MAGIC_LEN;
    serve_rig_sync(r);
}

void serve_rig_lineage(struct serve_rig *r, const char *source)
{
    struct lt_err err;
    must(store_lineage_begin(r->store, source, &err), &err);
    r->file = 0;
    begin_file(r);
}

void serve_rig_start(struct serve_rig *r, bool mariadb, const struct serve_options *opt)
{
    serve_rig_store(r, mariadb);
    serve_rig_lineage(r, RIG_SOURCE);
    if (!serve_rig_serve(r, opt))
        proc_die("no server");
}

void serve_rig_sync(struct serve_rig *r)
{
    struct lt_err err;
    must(gen_feed(r->store, r->gen.data, r->gen.len, r->fed, 4096, false, &r->fed), &(struct lt_err){.text = "feed"});
    must(store_sync(r->store, &err), &err);
}

void serve_rig_txns(struct serve_rig *r, unsigned n, size_t bytes)
{
    for (unsigned i = 0; i < n; i++)
        gen_txn(&r->gen, bytes);
    serve_rig_sync(r);
}

void serve_rig_rotate(struct serve_rig *r)
{
    char name[32];
    (void)snprintf(name, sizeof name, "mysql-bin.%06u", r->file + 1);
    gen_rotate(&r->gen, name);
    serve_rig_sync(r);
    begin_file(r);
}

struct tail_raw *serve_rig_hello(struct serve_rig *r)
{
    struct tail_raw *t = tail_raw_connect(serve_port(r->serve));
    if (t == NULL || !tail_raw_hello(t, NULL, NULL, NULL))
        proc_die("no Hello");
    return t;
}

struct tail_raw *serve_rig_subscribe(struct serve_rig *r, const struct tail_start *start)
{
    struct tail_raw *t = serve_rig_hello(r);
    if (!tail_raw_subscribe(t, start))
        proc_die("no Subscribe");
    return t;
}

const char *serve_rig_file(struct serve_rig *r, const char *name, const char *text)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    proc_write_file(path, text);
    return path;
}

void serve_rig_end(struct serve_rig *r)
{
    serve_stop(r->serve);
    store_close(r->store);
    gen_fini(&r->gen);
    proc_remove_dir(r->dir);
}

/* As the README's recipe does it: printf '%s' "$SALT$SECRET" | sha256sum */
void serve_rig_user(char *text, size_t cap, const char *user, const char *salt, const char *secret)
{
    unsigned char digest[32];
    char both[256];
    size_t len = strlen(text);
    int n = snprintf(both, sizeof both, "%s%s", salt, secret);
    (void)EVP_Digest(both, (size_t)n, digest, NULL, EVP_sha256(), NULL);
    len += (size_t)snprintf(text + len, cap - len, "%s:sha256$%s$", user, salt);
    for (size_t i = 0; i < sizeof digest; i++)
        len += (size_t)snprintf(text + len, cap - len, "%02x", digest[i]);
    (void)snprintf(text + len, cap - len, "\n");
}

void serve_rig_certs(struct serve_rig *r, const char *sub, const char *cn, struct fake_certs *ret)
{
    char dir[200];
    (void)snprintf(dir, sizeof dir, "%s/%s", r->dir, sub);
    CU_ASSERT_EQUAL(mkdir(dir, 0700), 0);
    fake_certs_make(dir, cn, 10, ret);
}
