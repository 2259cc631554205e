#include "fake_rig.h"

void fake_rig_start_primary(struct fake_rig *r, const struct fake_options *opt)
{
    *r = (struct fake_rig){.fp = fake_primary_start(opt ? opt : &(struct fake_options){.version = "9.7.4"})};
    fake_open_file(r->fp, FAKE_FILE1);
}

/* These settings, and a heartbeat period that leaves a busy machine time, unless a test has its own. */
static struct proc_args with_defaults(char *const *settings)
{
    static const char key[] = "source.heartbeat_period=";
    struct proc_args all = {0};
    bool own = false;
    for (char *const *s = settings; s != NULL && *s != NULL; s++) {
        proc_args_add(&all, "%s", *s);
        own = own || strncmp(*s, key, sizeof key - 1) == 0;
    }
    if (!own)
        proc_args_add(&all, "%s5s", key);
    return all;
}

void fake_rig_start_daemon_on(struct fake_rig *r, const char *dir, char *const *wrapper, char *const *settings)
{
    struct proc_args all = with_defaults(settings);
    r->rig.dm = daemon_start(
        &(struct daemon_options){.port = fake_port(r->fp), .dir = dir, .wrapper = wrapper, .settings = all.v});
    proc_args_fini(&all);
}

void fake_rig_start_daemon(struct fake_rig *r, char *const *settings)
{
    fake_rig_start_daemon_on(r, NULL, NULL, settings);
}

void fake_rig_restart_daemon(struct fake_rig *r)
{
    if (r->rig.dm->pid != 0) {
        int status = daemon_stop(r->rig.dm);
        CU_ASSERT_EQUAL(status, 0);
        if (status != 0)
            daemon_show_log(r->rig.dm);
    }
    daemon_restart(r->rig.dm);
}

void fake_rig_reload(struct fake_rig *r, char *const *settings)
{
    struct proc_args all = with_defaults(settings);
    daemon_configure(r->rig.dm, &(struct daemon_options){.port = fake_port(r->fp), .settings = all.v});
    json_t *answer = daemon_command(r->rig.dm, "reload");
    CU_ASSERT_PTR_NOT_NULL(json_object_get(answer, "reload"));
    json_decref(answer);
    proc_args_fini(&all);
}

void fake_rig_start(struct fake_rig *r, const struct fake_options *opt, char *const *settings)
{
    fake_rig_start_primary(r, opt);
    struct fake_pos end = fake_commit(r->fp, &(struct fake_txn_spec){.blob_len = 200});
    fake_rig_start_daemon(r, settings);
    CU_ASSERT_TRUE(fake_rig_wait_state(r, "streaming"));
    CU_ASSERT_TRUE(daemon_wait_position(r->rig.dm, end.file, end.pos, RIG_WAIT_MS));
}

void fake_rig_end(struct fake_rig *r)
{
    struct fake_counters n;
    if (r->rig.dm != NULL && r->rig.dm->pid != 0)
        CU_ASSERT_EQUAL(daemon_stop(r->rig.dm), 0);
    CU_ASSERT_TRUE(fake_wait_live(r->fp, FAKE_DUMP_ANY, 0, RIG_WAIT_MS));
    fake_counters(r->fp, &n);
    CU_ASSERT_EQUAL(n.quits_on_dump, 0);
    CU_ASSERT_EQUAL(n.pings_on_dump, 0);
    CU_ASSERT_EQUAL(n.other_on_dump, 0);
    CU_ASSERT_EQUAL(n.bad_acks, 0);
    CU_ASSERT_EQUAL(n.clear_passwords, 0);
    daemon_free(r->rig.dm);
    fake_primary_stop(r->fp);
}

bool fake_rig_wait_state(struct fake_rig *r, const char *state)
{
    bool ok = daemon_wait_state(r->rig.dm, state, RIG_WAIT_MS);
    if (!ok)
        daemon_show_log(r->rig.dm);
    return ok;
}

bool fake_rig_wait_error(struct fake_rig *r, const char *code)
{
    bool ok = daemon_wait_error(r->rig.dm, code, RIG_WAIT_MS);
    if (!ok)
        daemon_show_log(r->rig.dm);
    return ok;
}

/* One file of the primary against the segment of that name, as far as the primary's goes. */
static bool file_is_equal(struct fake_rig *r, const char *name)
{
    char *theirs = proc_fmt("%s/%s.of-primary", r->rig.dm->folder, name);
    char *ours = binlogs_segment_path(r->rig.dm->dir, name);
    size_t len = 0;
    bool same = fake_file_write(r->fp, name, theirs);
    char *bytes = same ? proc_read_file(theirs, &len) : NULL;
    same = bytes != NULL && binlogs_same(ours, theirs, len);
    free(bytes);
    (void)unlink(theirs);
    free(ours);
    free(theirs);
    return same;
}

bool fake_rig_identical(struct fake_rig *r)
{
    struct fake_pos end = fake_end(r->fp);
    bool same = daemon_wait_position(r->rig.dm, end.file, end.pos, RIG_WAIT_MS);
    if (!same)
        daemon_show_log(r->rig.dm);
    struct proc_args names = binlogs_segments(r->rig.dm->dir, NULL);
    for (size_t i = 0; same && i < names.n; i++)
        same = file_is_equal(r, names.v[i]);
    same = same && names.n > 0 && strcmp(names.v[names.n - 1], end.file) == 0;
    proc_args_fini(&names);
    return same;
}

bool fake_rig_commit(struct fake_rig *r)
{
    struct fake_pos end = fake_commit(r->fp, &(struct fake_txn_spec){.blob_len = 100});
    bool ok = fake_wait_ack(r->fp, &end, RIG_WAIT_MS);
    if (!ok)
        daemon_show_log(r->rig.dm);
    return ok;
}

struct fake_pos fake_rig_append_raw(struct fake_rig *r, uint8_t type, uint16_t flags, size_t body_len, bool ack)
{
    uint8_t *body = calloc(1, body_len + 1);
    if (body == NULL)
        proc_die("out of memory");
    (void)fake_gen_raw(fake_gen_lock(r->fp), type, flags, body, body_len);
    struct fake_pos end = fake_gen_unlock(r->fp, ack);
    free(body);
    return end;
}
