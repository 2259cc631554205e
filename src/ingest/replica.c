/*
 * - The first event is an artificial Rotate that names the asked file and position; its name, CRC bytes stripped, is the name that ACKs carry.
 * - Then the FDE: real at offset 4; sent again (log_pos 0) when the dump starts further in, and then never stored.
 * - Real events count bytes; log_pos, where not 0, must agree with the count's low 32 bits.
 * - At a file's end an artificial Rotate names the next file, whether a real Rotate, a Stop or nothing (a crash) was the last event.
 * Failures: a wrong name, position or length is a gap; an event over the end of what is held, or a file that ends before it, means
 * that the source has another history than the store.
 */
#include "ingest/replica.h"

#include <stdio.h>
#include <string.h>

const char *replica_state_name(enum replica_state state)
{
    static const char *const names[] = {"await_rotate", "await_fde", "events", "file_ended"};
    return names[state];
}

void replica_init(struct replica *r, const struct replica_start *start)
{
    *r = (struct replica){.state = REPLICA_AWAIT_ROTATE, .start = *start};
}

static void enter_file(struct replica *r, const char *name, uint64_t pos)
{
    bool held = r->start.held_file[0] != '\0' && strcmp(name, r->start.held_file) == 0;
    (void)snprintf(r->file, sizeof r->file, "%s", name);
    r->offset = pos;
    r->held_end = held ? r->start.held_end : BINLOG_MAGIC_LEN;
    r->file_is_new = !held;
    r->resumed = pos > BINLOG_MAGIC_LEN;
    r->next_file[0] = '\0';
    r->state = REPLICA_AWAIT_FDE;
}

static int parse_rotate(const struct event_header *h, const uint8_t *head, size_t head_len, struct event_rotate *ret,
                        struct fault *f)
{
    /* The CRC of an artificial Rotate follows a session variable or the file before; whether it is there is best asked of itself. */
    if (head_len != h->length || event_rotate_parse(head, head_len, event_crc_ok(head, head_len), ret) != 0)
        return fault_set(f, FAULT_PROTOCOL, "the source sent a malformed Rotate event");
    return LT_OK;
}

static int first_rotate(struct replica *r, const struct event_rotate *rot, struct fault *f)
{
    if (r->start.file[0] != '\0' && (strcmp(rot->name, r->start.file) != 0 || rot->pos != r->start.pos))
        return fault_set(f, FAULT_GAP, "asked for %s:%llu, the source starts at %s:%llu", r->start.file,
                         (unsigned long long)r->start.pos, rot->name, (unsigned long long)rot->pos);
    if (rot->pos < BINLOG_MAGIC_LEN)
        return fault_set(f, FAULT_PROTOCOL, "the source starts at position %llu of %s", (unsigned long long)rot->pos,
                         rot->name);
    enter_file(r, rot->name, rot->pos);
    return LT_OK;
}

static int next_rotate(struct replica *r, const struct event_rotate *rot, struct fault *f)
{
    if (r->offset < r->held_end)
        return fault_set(f, FAULT_AHEAD, "%s ends at %llu on the source, this store holds it up to %llu", r->file,
                         (unsigned long long)r->offset, (unsigned long long)r->held_end);
    bool named = r->next_file[0] == '\0' || strcmp(rot->name, r->next_file) == 0;
    if (!named || rot->pos != BINLOG_MAGIC_LEN || !binlog_name_follows(r->file, rot->name))
        return fault_set(f, FAULT_GAP, "after %s %s at position 4 was expected, what comes is %s:%llu", r->file,
                         r->next_file[0] != '\0' ? r->next_file : "the next number", rot->name,
                         (unsigned long long)rot->pos);
    enter_file(r, rot->name, rot->pos);
    return LT_OK;
}

/* A made-up Rotate has no place; one that names a place names the end of the file it leads away from. Another end than ours: a piece of it never came. */
static int check_left_whole(const struct replica *r, const struct event_header *h, struct fault *f)
{
    if (h->log_pos == 0 || r->state == REPLICA_AWAIT_ROTATE || h->log_pos == (uint32_t)r->offset)
        return LT_OK;
    return fault_set(f, FAULT_GAP, "%s: the source leaves it at %u, what came ends at %llu: a piece is missing",
                     r->file, h->log_pos, (unsigned long long)r->offset);
}

static int artificial_rotate(struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                             struct fault *f)
{
    struct event_rotate rot = {0};
    int rc = parse_rotate(h, head, head_len, &rot, f);
    if (rc != 0)
        return rc;
    if (r->state == REPLICA_AWAIT_ROTATE)
        return first_rotate(r, &rot, f);
    rc = check_left_whole(r, h, f);
    if (rc != 0)
        return rc;
    /* Some servers repeat the Rotate of the place they are at, e.g. after having searched for a GTID. */
    if (r->state != REPLICA_FILE_ENDED && strcmp(rot.name, r->file) == 0 && rot.pos == r->offset)
        return LT_OK;
    return next_rotate(r, &rot, f);
}

static int take_fde(struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                    struct replica_verdict *ret, struct fault *f)
{
    struct event_fde fde;
    if (head_len != h->length || event_fde_parse(head, head_len, &fde) != 0)
        return fault_set(f, FAULT_PROTOCOL, "%s begins with a format description this program cannot read", r->file);
    bool again = r->offset != BINLOG_MAGIC_LEN;
    if (!again && h->log_pos == 0)
        return fault_set(f, FAULT_PROTOCOL, "the source sent the start of %s changed", r->file);
    if (again && r->file_is_new)
        return fault_set(f, FAULT_GAP, "the source starts %s at %llu, nothing of it is held", r->file,
                         (unsigned long long)r->offset);
    r->checksum = fde.checksum;
    r->is_mariadb = fde.is_mariadb;
    r->state = REPLICA_EVENTS;
    ret->offset = r->offset;
    if (again) {
        ret->action = REPLICA_CHECK_FDE;
        return LT_OK;
    }
    return 1; /* an ordinary first event of the file */
}

static int check_log_pos(struct replica *r, const struct event_header *h, struct fault *f)
{
    uint32_t expected = (uint32_t)(r->offset + h->length);
    if (h->log_pos == 0 || h->log_pos == expected)
        return LT_OK;
    r->misplaced = true;
    return fault_set(f, FAULT_GAP, "%s: the event at %llu says that it ends at %u, by its length it ends at %u",
                     r->file, (unsigned long long)r->offset, h->log_pos, expected);
}

static int place_event(struct replica *r, const struct event_header *h, struct replica_verdict *ret, struct fault *f)
{
    uint64_t end = r->offset + h->length;
    ret->offset = r->offset;
    if (r->offset < r->held_end) {
        if (end > r->held_end)
            return fault_set(f, FAULT_DIVERGED,
                             "%s: the source's event at %llu ends at %llu, this store's end at %llu lies inside it",
                             r->file, (unsigned long long)r->offset, (unsigned long long)end,
                             (unsigned long long)r->held_end);
        ret->action = REPLICA_COMPARE;
    } else {
        ret->action = r->file_is_new && r->offset == BINLOG_MAGIC_LEN ? REPLICA_BEGIN_FILE : REPLICA_APPEND;
        r->held_end = end;
        r->appended += h->length;
    }
    r->offset = end;
    return LT_OK;
}

/* A GTID that is not understood would be acknowledged and stand in no set: whoever asks what was confirmed would not be told of it. */
static int check_gtid(const struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                      struct fault *f)
{
    struct event_gtid g;
    switch (h->type) {
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_MARIADB_GTID:
        break;
    default:
        return LT_OK;
    }
    if (head_len == h->length && event_gtid_parse(head, head_len, r->checksum == CHECKSUM_CRC32, &g) == 0)
        return LT_OK;
    return fault_set(f, FAULT_TOO_LARGE, "%s: the GTID event at %llu cannot be read by this version", r->file,
                     (unsigned long long)r->offset);
}

static int real_event(struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                      struct replica_verdict *ret, struct fault *f)
{
    if (r->state == REPLICA_FILE_ENDED)
        return fault_set(f, FAULT_GAP, "%s goes on after its last event", r->file);
    int rc = check_log_pos(r, h, f);
    if (rc != 0)
        return rc;
    /* Of what is held the comparison tells: then it is a divergence. */
    if (h->type == EVENT_FORMAT_DESCRIPTION && r->offset != BINLOG_MAGIC_LEN && r->offset >= r->held_end)
        return fault_set(f, FAULT_PROTOCOL, "%s: a second format description at %llu", r->file,
                         (unsigned long long)r->offset);
    struct event_rotate rot = {0};
    if (h->type == EVENT_ROTATE) {
        if (head_len != h->length || event_rotate_parse(head, head_len, r->checksum == CHECKSUM_CRC32, &rot) != 0)
            return fault_set(f, FAULT_PROTOCOL, "%s: malformed Rotate event at %llu", r->file,
                             (unsigned long long)r->offset);
        (void)snprintf(r->next_file, sizeof r->next_file, "%s", rot.name);
    }
    if (r->offset >= r->held_end)
        rc = check_gtid(r, h, head, head_len, f);
    if (rc == 0)
        rc = place_event(r, h, ret, f);
    if (rc == 0 && (h->type == EVENT_ROTATE || h->type == EVENT_STOP))
        r->state = REPLICA_FILE_ENDED;
    return rc;
}

int replica_step(struct replica *r, const struct event_header *h, const uint8_t *head, size_t head_len,
                 struct replica_verdict *ret, struct fault *ret_fault)
{
    bool artificial = event_is_artificial(h, r->offset);
    *ret = (struct replica_verdict){.action = REPLICA_SKIP};
    if (h->type == EVENT_ROTATE && artificial)
        return artificial_rotate(r, h, head, head_len, ret_fault);
    if (r->state == REPLICA_AWAIT_ROTATE)
        return fault_set(ret_fault, FAULT_PROTOCOL, "the source's stream does not begin with a Rotate event");
    if (h->type == EVENT_HEARTBEAT || h->type == EVENT_HEARTBEAT_V2) {
        ret->action = REPLICA_HEARTBEAT;
        return LT_OK;
    }
    if (r->state == REPLICA_AWAIT_FDE) {
        if (h->type != EVENT_FORMAT_DESCRIPTION)
            return fault_set(ret_fault, FAULT_PROTOCOL, "%s does not begin with a format description event", r->file);
        int rc = take_fde(r, h, head, head_len, ret, ret_fault);
        if (rc <= 0)
            return rc;
    } else if (artificial) {
        return LT_OK;
    }
    return real_event(r, h, head, head_len, ret, ret_fault);
}

bool replica_is_past_held(const struct replica *r)
{
    if (r->state == REPLICA_AWAIT_ROTATE || r->state == REPLICA_AWAIT_FDE)
        return false;
    return r->offset >= r->held_end;
}
