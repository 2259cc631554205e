/*
 * DIR/identity: key=value lines.
 *
 * - Loaded; where there is none, made from getrandom and saved before anyone uses it.
 * - `machine` is hostname:machine-id. A directory that was copied to another machine must not appear to a source as the replica that still
 *   runs on the first one (a MariaDB primary can freeze on a repeated server_id): ids are made anew and the last dump is forgotten. A machine that
 *   was only given another name is the same one and keeps its ids; where machines have no id the name is all there is to tell them apart.
 * - MySQL counts ACKs by server_id, and those of an id that is gone go on counting. With a store that holds something, a new server_id may
 *   therefore make one copy count twice: `former` remembers it until the source was seen to be past what the old id may have acknowledged.
 * - Unknown keys are passed over, so that an older program reads a newer file.
 * Failure: a file that does not parse is LT_ECORRUPT, with its name: making new ids in silence would hide that something is wrong with DIR.
 */
#include "store/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/units.h"
#include "store/store_internal.h"

#define SERVER_ID_FIRST 0x20000000u
#define SERVER_ID_LAST  0x7fffffe0u
#define SERVER_ID_STEP  32u

static int random_bytes(void *buf, size_t len, struct lt_err *err)
{
    ssize_t n = getrandom(buf, len, 0);

    if (n == (ssize_t)len)
        return 0;
    return store_sys_err(err, n < 0 ? -errno : -EIO, "getrandom");
}

static int make_uuid(char text[GTID_UUID_TEXT_LEN + 1], struct lt_err *err)
{
    uint8_t uuid[GTID_UUID_LEN];
    int rc = random_bytes(uuid, sizeof uuid, err);
    if (rc < 0)
        return rc;
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* version 4, variant 1 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    uuid_format(uuid, text);
    return 0;
}

static int make_ids(struct identity *id, struct lt_err *err)
{
    uint32_t n;
    int rc = make_uuid(id->server_uuid, err);
    if (rc == 0)
        rc = make_uuid(id->prove_uuid, err);
    if (rc == 0)
        rc = random_bytes(&n, sizeof n, err);
    if (rc < 0)
        return rc;
    id->server_id = SERVER_ID_FIRST + n % ((SERVER_ID_LAST - SERVER_ID_FIRST) / SERVER_ID_STEP + 1) * SERVER_ID_STEP;
    id->dump_serial = 0;
    id->last_thread_id = 0;
    id->last_source_start_s = 0;
    return 0;
}

/* Of the machine, not of DIR, so not through the vfs. */
static void this_machine(char *buf, size_t cap)
{
    char host[64] = "";
    char machine_id[40] = "";
    FILE *f = fopen("/etc/machine-id", "re");

    if (f != NULL) {
        if (fgets(machine_id, sizeof machine_id, f) == NULL)
            machine_id[0] = '\0';
        (void)fclose(f);
    }
    machine_id[strcspn(machine_id, "\n")] = '\0';
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(buf, cap, "%s:%s", host, machine_id);
}

/* "host:id"; "" where there is no id. */
static const char *id_part(const char *machine)
{
    const char *colon = strrchr(machine, ':');
    return colon != NULL ? colon + 1 : "";
}

bool identity_same_machine(const char *a, const char *b)
{
    const char *x = id_part(a);
    const char *y = id_part(b);
    return x[0] != '\0' && y[0] != '\0' ? strcmp(x, y) == 0 : strcmp(a, b) == 0;
}

static bool holds_something(const struct store *s)
{
    return atomic_load_explicit(&s->head, memory_order_acquire) != NULL;
}

static int take_uuid(char text[GTID_UUID_TEXT_LEN + 1], const char *value)
{
    uint8_t uuid[GTID_UUID_LEN];

    if (uuid_parse(value, uuid) < 0)
        return LT_ECORRUPT;
    uuid_format(uuid, text);
    return 0;
}

static int take_u32(uint32_t *ret, const char *value)
{
    uint64_t n;
    int rc = units_parse_u64(value, UINT32_MAX, &n);

    if (rc == 0)
        *ret = (uint32_t)n;
    return rc;
}

static int take_pair(struct identity *id, const char *key, const char *value)
{
    if (strcmp(key, "server_uuid") == 0)
        return take_uuid(id->server_uuid, value);
    if (strcmp(key, "prove_uuid") == 0)
        return take_uuid(id->prove_uuid, value);
    if (strcmp(key, "server_id") == 0)
        return take_u32(&id->server_id, value);
    if (strcmp(key, "machine") == 0)
        return units_take_text(id->machine, sizeof id->machine, value);
    if (strcmp(key, "dump_serial") == 0)
        return take_u32(&id->dump_serial, value);
    if (strcmp(key, "last_thread_id") == 0)
        return units_parse_u64(value, UINT64_MAX, &id->last_thread_id);
    if (strcmp(key, "last_source_start_s") == 0)
        return units_parse_u64(value, UINT64_MAX, &id->last_source_start_s);
    if (strcmp(key, "former") == 0)
        return take_u32(&id->former, value);
    return 0;
}

static int parse(char *text, struct identity *id)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *eq = strchr(line, '=');
        if (eq == NULL)
            return LT_ECORRUPT;
        *eq = '\0';
        if (take_pair(id, line, eq + 1) < 0)
            return LT_ECORRUPT;
    }
    return id->server_uuid[0] != '\0' && id->prove_uuid[0] != '\0' && id->server_id != 0 ? 0 : LT_ECORRUPT;
}

int identity_save(struct store *s, const struct identity *id, struct lt_err *err)
{
    char text[512];
    int n = snprintf(text, sizeof text,
                     "server_uuid=%s\nprove_uuid=%s\nserver_id=%" PRIu32 "\nmachine=%s\ndump_serial=%" PRIu32
                     "\nlast_thread_id=%" PRIu64 "\nlast_source_start_s=%" PRIu64 "\nformer=%" PRIu32 "\n",
                     id->server_uuid, id->prove_uuid, id->server_id, id->machine, id->dump_serial, id->last_thread_id,
                     id->last_source_start_s, id->former);
    lt_assert(n > 0 && (size_t)n < sizeof text);
    return statefile_write(s->vfs, s->dir, "identity", text, (size_t)n, err);
}

/* The first of several changes counts: its ACKs are the ones that may be there. Back to it, and nothing is counted twice. */
static void note_former(const struct store *s, struct identity *id, uint32_t before)
{
    if (id->former == 0 && before != id->server_id && holds_something(s))
        id->former = before;
    if (id->former == id->server_id)
        id->former = 0;
}

int identity_load(struct store *s, uint32_t configured_server_id, struct identity *ret, struct lt_err *err)
{
    struct identity id = {0};
    char machine[sizeof id.machine];
    char *text = NULL;
    size_t len;
    int rc = statefile_read(s->vfs, s->dir, "identity", 4096, &text, &len, err);
    bool missing = rc == LT_ENOTFOUND;

    this_machine(machine, sizeof machine);
    if (rc == 0 && parse(text, &id) < 0)
        rc = lt_err_set(err, LT_ECORRUPT, "%s/identity is damaged; remove it to get new ids", s->dir);
    free(text);
    if (rc < 0 && !missing)
        return rc;
    bool moved = !missing && !identity_same_machine(machine, id.machine);
    bool changed = missing || strcmp(machine, id.machine) != 0 ||
                   (configured_server_id != 0 && configured_server_id != id.server_id);
    uint32_t before = missing ? IDENTITY_FORMER_UNKNOWN : id.server_id;
    if (missing || moved) {
        rc = make_ids(&id, err);
        if (rc < 0)
            return rc;
    }
    memcpy(id.machine, machine, sizeof id.machine);
    if (configured_server_id != 0)
        id.server_id = configured_server_id;
    id.renewed = moved;
    note_former(s, &id, before);
    rc = changed ? identity_save(s, &id, err) : 0;
    if (rc == 0)
        *ret = id;
    return rc;
}
