/*
 * Drives the replica's state machine from a text script. One command a line; # begins a comment.
 *   start FILE POS [HELD_FILE HELD_END]     a dump is asked for; "-" stands for no file
 *   rotate NAME POS                         an artificial Rotate
 *   fde                                     the file's format description as stored (252 or so bytes, log_pos right)
 *   fde-again                               the same, sent again: log_pos 0
 *   event TYPE LENGTH [LOG_POS]             any other event; without LOG_POS the right one
 *   last NAME [TIME]                        a real Rotate that names the next file; a client may have set its time
 *   rotate-at NAME POS LOG_POS              an artificial Rotate that has a log_pos
 *   heartbeat
 *   expect ACTION [OFFSET]                  skip heartbeat check_fde compare append begin_file, of the last event
 *   expect fault CODE                       the last event ended the dump with this code
 *   state NAME | past-held yes|no
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "binlog_gen.h"
#include "ingest/replica.h"

struct replay {
    struct replica r;
    struct replica_verdict verdict;
    struct fault fault;
    int rc;
    const char *script;
    unsigned line;
};

static _Noreturn void die(const struct replay *rp, const char *what)
{
    fprintf(stderr, "%s:%u: %s (state %s, offset %" PRIu64 ", fault %s: %s)\n", rp->script, rp->line, what,
            replica_state_name(rp->r.state), rp->r.offset, fault_name(rp->fault.code), rp->fault.message);
    exit(1);
}

static void feed(struct replay *rp, uint8_t *event, size_t len)
{
    struct event_header h;
    rp->fault = (struct fault){0};
    event_crc_set(event, len);
    if (event_header_parse(event, len, &h) != 0)
        die(rp, "the script makes no event");
    rp->rc = replica_step(&rp->r, &h, event, len, &rp->verdict, &rp->fault);
}

#define GTID_NUMBER_AT 17 /* behind flags and UUID */
#define GTID_BODY_LEN  25

static void feed_event(struct replay *rp, unsigned type, size_t len, uint32_t log_pos, unsigned flags, const void *body,
                       size_t body_len)
{
    uint8_t *event = calloc(1, len);
    event[4] = (uint8_t)type;
    store_u32(event, 1);
    store_u32(event + 9, (uint32_t)len);
    store_u32(event + 13, log_pos);
    store_u16(event + 17, (uint16_t)flags);
    if (body_len > 0)
        memcpy(event + EVENT_HEADER_LEN, body, body_len);
    else if (type == EVENT_GTID && len >= EVENT_HEADER_LEN + GTID_BODY_LEN)
        store_u64(event + EVENT_HEADER_LEN + GTID_NUMBER_AT, 1); /* 0 is none */
    feed(rp, event, len);
    free(event);
}

static void feed_rotate(struct replay *rp, const char *name, uint64_t pos, bool real, uint32_t time, uint32_t log_pos)
{
    uint8_t body[8 + BINLOG_NAME_MAX];
    size_t len = EVENT_HEADER_LEN + 8 + strlen(name) + EVENT_CRC_LEN;
    store_u64(body, pos);
    memcpy(body + 8, name, strlen(name));
    uint8_t event[EVENT_HEADER_LEN + sizeof body + EVENT_CRC_LEN] = {0};
    event[4] = EVENT_ROTATE;
    store_u32(event, time);
    store_u32(event + 9, (uint32_t)len);
    store_u32(event + 13, real ? (uint32_t)(rp->r.offset + len) : log_pos);
    store_u16(event + 17, real ? 0 : EVENT_FLAG_ARTIFICIAL);
    memcpy(event + EVENT_HEADER_LEN, body, 8 + strlen(name));
    feed(rp, event, len);
}

static void feed_fde(struct replay *rp, bool again)
{
    struct binlog_gen g;
    gen_init(&g, false, true);
    gen_file(&g, false);
    uint8_t *event = g.data + BINLOG_MAGIC_LEN;
    if (again)
        store_u32(event + 13, 0);
    feed(rp, event, load_u32(event + 9));
    gen_fini(&g);
}

static void start(struct replay *rp, char **w, size_t n)
{
    struct replica_start s = {.pos = strtoull(w[2], NULL, 10)};
    if (strcmp(w[1], "-") != 0)
        snprintf(s.file, sizeof s.file, "%s", w[1]);
    if (n > 4) {
        snprintf(s.held_file, sizeof s.held_file, "%s", w[3]);
        s.held_end = strtoull(w[4], NULL, 10);
    }
    replica_init(&rp->r, &s);
}

static void expect(struct replay *rp, char **w, size_t n)
{
    static const char *const actions[] = {"skip", "heartbeat", "check_fde", "compare", "append", "begin_file"};
    if (strcmp(w[1], "fault") == 0) {
        if (rp->rc == 0 || strcmp(fault_name(rp->fault.code), w[2]) != 0)
            die(rp, "expected another fault");
        return;
    }
    if (rp->rc != 0 || strcmp(actions[rp->verdict.action], w[1]) != 0)
        die(rp, "expected another action");
    if (n > 2 && rp->verdict.offset != strtoull(w[2], NULL, 10))
        die(rp, "expected another offset");
}

static void command(struct replay *rp, char **w, size_t n)
{
    if (strcmp(w[0], "start") == 0 && n >= 3)
        start(rp, w, n);
    else if (strcmp(w[0], "rotate") == 0 && n == 3)
        feed_rotate(rp, w[1], strtoull(w[2], NULL, 10), false, 0, 0);
    else if (strcmp(w[0], "rotate-at") == 0 && n == 4)
        feed_rotate(rp, w[1], strtoull(w[2], NULL, 10), false, 0, (uint32_t)strtoull(w[3], NULL, 10));
    else if (strcmp(w[0], "last") == 0 && n >= 2)
        feed_rotate(rp, w[1], BINLOG_MAGIC_LEN, true, n > 2 ? (uint32_t)strtoul(w[2], NULL, 10) : 1, 0);
    else if (strncmp(w[0], "fde", 3) == 0)
        feed_fde(rp, strcmp(w[0], "fde-again") == 0);
    else if (strcmp(w[0], "heartbeat") == 0)
        feed_event(rp, EVENT_HEARTBEAT, 40, 0, 0, NULL, 0);
    else if (strcmp(w[0], "event") == 0 && n >= 3) {
        size_t len = strtoul(w[2], NULL, 10);
        uint32_t log_pos = n > 3 ? (uint32_t)strtoull(w[3], NULL, 10) : (uint32_t)(rp->r.offset + len);
        feed_event(rp, (unsigned)strtoul(w[1], NULL, 10), len, log_pos, 0, NULL, 0);
    } else if (strcmp(w[0], "expect") == 0 && n >= 2)
        expect(rp, w, n);
    else if (strcmp(w[0], "state") == 0 && n == 2) {
        if (strcmp(replica_state_name(rp->r.state), w[1]) != 0)
            die(rp, "expected another state");
    } else if (strcmp(w[0], "past-held") == 0 && n == 2) {
        if (replica_is_past_held(&rp->r) != (strcmp(w[1], "yes") == 0))
            die(rp, "expected the other");
    } else
        die(rp, "no such command");
}

int main(int argc, char **argv)
{
    struct replay rp = {.script = argc > 1 ? argv[1] : ""};
    FILE *f = fopen(rp.script, "r");
    if (f == NULL) {
        perror(rp.script);
        return 1;
    }
    char line[512];
    unsigned commands = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        char *w[8];
        size_t n = 0;
        char *save = NULL;
        rp.line++;
        line[strcspn(line, "#\n")] = '\0';
        for (char *p = strtok_r(line, " \t", &save); p != NULL && n < 8; p = strtok_r(NULL, " \t", &save))
            w[n++] = p;
        if (n > 0) {
            command(&rp, w, n);
            commands++;
        }
    }
    fclose(f);
    printf("%u commands\n", commands);
    return commands == 0;
}
