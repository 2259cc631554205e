/*
 * The scripted stream.
 */
#include "script.h"

#include "base/cursor.h"

uint64_t script_random(uint64_t *rng)
{
    uint64_t z = *rng += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void script_init(struct script *sc, unsigned flavour, uint64_t seed)
{
    static const char *const names[SCRIPT_FILES] = {TEST_FILE, TEST_FILE2, "mysql-bin.000003"};
    uint64_t seq = 0;

    memset(sc, 0, sizeof *sc);
    sc->file = -1;
    for (int f = 0; f < SCRIPT_FILES; f++) {
        struct binlog_gen *g = &sc->gen[f];
        bool other = (flavour & 8) && f == SCRIPT_FILES - 1; /* a history of its own */
        sc->names[f] = other ? names[0] : names[f];
        sc->lineage[f] = other ? 2 : 1;
        if (other)
            seq = 0;
        gen_init(g, flavour & 1, !(flavour & 2));
        g->seq = seq;
        gen_file(g, script_random(&seed) % 4 != 0);
        if (flavour & 4)
            gen_txn(g, 300000 + script_random(&seed) % 800000);
        unsigned n = 3 + (unsigned)(script_random(&seed) % 12);
        for (unsigned i = 0; i < n; i++)
            gen_txn(g, script_random(&seed) % 8 == 0 ? script_random(&seed) % 20000 : script_random(&seed) % 600);
        if (f + 1 < SCRIPT_FILES && script_random(&seed) % 4 == 0) { /* the source died in a transaction */
            gen_gtid(g);
            g->seq--;
        } else if (f + 1 < SCRIPT_FILES) {
            gen_rotate(g, names[f + 1]);
        }
        seq = g->seq;
    }
}

void script_fini(struct script *sc)
{
    for (int f = 0; f < SCRIPT_FILES; f++)
        gen_fini(&sc->gen[f]);
}

static int file_index(const struct script *sc, unsigned lineage, const char *name)
{
    for (int f = 0; f < SCRIPT_FILES; f++) {
        if (sc->lineage[f] == lineage && strcmp(sc->names[f], name) == 0)
            return f;
    }
    return -1;
}

void script_note(struct script *sc, struct store *s)
{
    struct store_view v;

    if (store_view_get(s, &v) < 0)
        abort();
    if (v.file[0] != '\0') {
        sc->file = file_index(sc, v.lineage, v.file);
        sc->durable = v.durable;
        sc->watermark = v.watermark;
    }
    store_view_fini(&v);
}

static int feed_one(struct script *sc, struct store *s, int f, uint64_t *rng, struct lt_err *err)
{
    uint64_t at = store_appended(s);
    static const size_t pieces[] = {64, 700, 5000, 1000000};
    bool large = load_u32(sc->gen[f].data + at + 9) > 100000; /* its length: not in crumbs */
    int rc;

    if (script_random(rng) % 32 == 0) { /* an event given up half way */
        struct event_header h;
        if (event_header_parse(sc->gen[f].data + at, EVENT_HEADER_LEN, &h) < 0)
            abort();
        rc = store_event_begin(s, &h, err);
        if (rc == 0)
            rc = store_event_bytes(s, sc->gen[f].data + at, h.length / 2, err);
        if (rc == 0 && script_random(rng) % 2 == 0)
            rc = store_sync(s, err);
        if (rc == 0)
            rc = store_event_abort(s, err);
        if (rc < 0)
            return rc;
    }
    return gen_feed_event(s, sc->gen[f].data + at, pieces[large ? 2 + script_random(rng) % 2 : script_random(rng) % 4],
                          false, NULL);
}

static int next_file(struct script *sc, struct store *s, int f, struct lt_err *err)
{
    struct store_resume r;
    int rc = 0;

    store_resume_point(s, &r);
    if (!r.have_lineage || r.lineage < sc->lineage[f])
        rc = store_lineage_begin(s, sc->lineage[f] == 1 ? TEST_SOURCE : "source-2", err);
    if (rc == 0)
        rc = store_segment_begin(s, sc->names[f], err);
    if (rc == 0)
        script_note(sc, s);
    return rc;
}

int script_run(struct script *sc, struct store *s, uint64_t *rng, unsigned max_events, struct lt_err *err)
{
    struct store_resume r;
    int rc = 0;

    store_resume_point(s, &r);
    bool none = r.empty;
    int f = r.empty ? (r.have_lineage && r.lineage == 2 ? SCRIPT_FILES - 2 : -1) : file_index(sc, r.lineage, r.file);
    while (rc == 0 && max_events-- > 0) {
        if (none || store_appended(s) == sc->gen[f].len) {
            if (f + 1 == SCRIPT_FILES)
                break;
            rc = next_file(sc, s, ++f, err);
            none = false;
            continue;
        }
        rc = feed_one(sc, s, f, rng, err);
        if (rc == 0 && script_random(rng) % 4 == 0) {
            rc = store_sync(s, err);
            if (rc == 0) {
                script_note(sc, s);
                while (script_random(rng) % 4 != 0 && store_idle(s))
                    ; /* interrupted anywhere */
            }
        }
    }
    return rc;
}

/* The stored file against the script's, through a reader. */
static bool file_is(const struct script *sc, struct store *s, int f, uint64_t bytes)
{
    struct store_reader *r;
    struct lt_err err;
    uint64_t at = BINLOG_MAGIC_LEN;
    uint8_t buf[8192];
    size_t n;
    bool sealed;

    if (bytes > sc->gen[f].len || store_reader_open(s, sc->lineage[f], sc->names[f], at, &r, &err) < 0)
        return false;
    while (store_reader_read(r, buf, sizeof buf, &n, &sealed, &err) == 0 && memcmp(buf, sc->gen[f].data + at, n) == 0)
        at += n;
    store_reader_close(r);
    return at == bytes;
}

static bool gtids_are(const struct script *sc, const struct store_view *v, int f, uint64_t watermark)
{
    uint64_t n = 0;
    struct store_view empty = {0};
    size_t at = BINLOG_MAGIC_LEN;

    /* transactions before the file, by its predecessor's count, then its own XIDs below the watermark */
    if (f > 0 && sc->lineage[f - 1] == sc->lineage[f])
        n = sc->gen[f - 1].seq;
    for (; at < watermark; at += load_u32(sc->gen[f].data + at + 9))
        n += sc->gen[f].data[at + 4] == EVENT_XID;
    (void)empty;
    if (sc->gen[0].mariadb)
        return n == 0 ? gtid_set_is_empty(&v->gtid_executed)
                      : v->gtid_executed.state_count == 1 && v->gtid_executed.states[0].seq == n;
    return gtid_set_count(&v->gtid_executed) == n;
}

bool script_check(const struct script *sc, struct store *s)
{
    struct store_view v;
    uint64_t diff;
    bool ok = true;

    if (store_view_get(s, &v) < 0)
        return false;
    int f = v.file[0] != '\0' ? file_index(sc, v.lineage, v.file) : -1;
    int whole = f; /* so many sealed files */
    if (f < 0 && v.lineage == 2) {
        f = SCRIPT_FILES - 2;
        whole = SCRIPT_FILES - 1;
    }
    /* a file of which no event was durable yet may be gone again */
    bool removed = f + 1 == sc->file && sc->watermark == BINLOG_MAGIC_LEN;
    if ((f < sc->file && !removed) || (f == sc->file && f >= whole && f >= 0 && v.watermark < sc->watermark)) {
        (void)fprintf(stderr, "lost: have file %d %llu, reported %d %llu\n", f, (unsigned long long)v.watermark,
                      sc->file, (unsigned long long)sc->watermark);
        ok = false;
    }
    for (int i = 0; ok && i < whole; i++) {
        ok = file_is(sc, s, i, sc->gen[i].len);
        if (!ok)
            (void)fprintf(stderr, "file %d is not what it was\n", i);
    }
    if (ok && f >= 0 && whole == f) {
        ok = store_appended(s) <= sc->gen[f].len && file_is(sc, s, f, v.watermark) &&
             store_compare(s, 4, sc->gen[f].data + 4, store_appended(s) - 4, &diff, NULL) == 0;
        if (!ok)
            (void)fprintf(stderr, "newest file %d: %llu appended, watermark %llu, %zu in the script\n", f,
                          (unsigned long long)store_appended(s), (unsigned long long)v.watermark, sc->gen[f].len);
    }
    if (ok && f >= 0 && whole == f && !gtids_are(sc, &v, f, v.watermark)) {
        char *text = gtid_set_format(&v.gtid_executed);
        (void)fprintf(stderr, "set: %s in file %d at %llu\n", text, f, (unsigned long long)v.watermark);
        free(text);
        ok = false;
    }
    store_view_fini(&v);
    return ok;
}

bool script_complete(const struct script *sc, struct store *s)
{
    struct store_resume r;

    store_resume_point(s, &r);
    return r.lineage == sc->lineage[SCRIPT_FILES - 1] && strcmp(r.file, sc->names[SCRIPT_FILES - 1]) == 0 &&
           r.end == sc->gen[SCRIPT_FILES - 1].len;
}
