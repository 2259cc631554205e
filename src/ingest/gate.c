/*
 * - Ingest reports each successful sync (gate_durable), admits a connection once its history is proved, and sends through here.
 * - A send holds the mutex from the check to the return of the non-blocking send, so fence (gate_close) cannot fall in between.
 * Order of positions: by the number at the end of the file name, then by offset; names are as the source gave them on this connection.
 */
#include "ingest/gate.h"

#include <stdio.h>
#include <string.h>

#include "binlog/packet.h"

void gate_init(struct ack_gate *g)
{
    *g = (struct ack_gate){.next_connection = 1};
    pthread_mutex_init(&g->lock, NULL);
}

void gate_fini(struct ack_gate *g)
{
    pthread_mutex_destroy(&g->lock);
}

static void set_position(struct gate_position *p, const char *file, uint64_t offset)
{
    if (strcmp(p->file, file) != 0)
        (void)snprintf(p->file, sizeof p->file, "%s", file);
    p->offset = offset;
}

/* Not after: file:offset is at or before p. Files of another base name are never comparable. */
static bool not_after(const char *file, uint64_t offset, const struct gate_position *p)
{
    if (p->file[0] == '\0')
        return false;
    if (strcmp(file, p->file) == 0)
        return offset <= p->offset;
    const char *dot = strrchr(p->file, '.');
    size_t base = dot ? (size_t)(dot - p->file) + 1 : 0;
    if (base == 0 || strncmp(file, p->file, base) != 0)
        return false;
    return binlog_name_number(file) < binlog_name_number(p->file);
}

void gate_durable(struct ack_gate *g, const char *file, uint64_t offset)
{
    pthread_mutex_lock(&g->lock);
    set_position(&g->durable, file, offset);
    pthread_mutex_unlock(&g->lock);
}

void gate_doubt(struct ack_gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->durable = (struct gate_position){0};
    pthread_mutex_unlock(&g->lock);
}

/* With the lock held. */
static void follow_only(struct ack_gate *g, const char *source_id)
{
    if (strcmp(g->last_acked_source, source_id) != 0)
        g->last_acked = (struct gate_position){0};
}

uint64_t gate_admit(struct ack_gate *g, const char *source_id)
{
    pthread_mutex_lock(&g->lock);
    uint64_t connection = g->next_connection++;
    g->admitted = connection;
    (void)snprintf(g->admitted_source, sizeof g->admitted_source, "%s", source_id);
    g->acked = (struct gate_position){0};
    follow_only(g, source_id);
    pthread_mutex_unlock(&g->lock);
    return connection;
}

void gate_revoke(struct ack_gate *g, uint64_t connection)
{
    pthread_mutex_lock(&g->lock);
    if (g->admitted == connection)
        g->admitted = 0;
    pthread_mutex_unlock(&g->lock);
}

/* With the lock held. */
static bool closed_to(const struct ack_gate *g, const char *source_id)
{
    return g->closed && (g->open_to[0] == '\0' || strcmp(g->open_to, source_id) != 0);
}

/* With the lock held: may anything that counts as an acknowledgement leave on this connection? */
static int check_admitted(const struct ack_gate *g, uint64_t connection, struct lt_err *err)
{
    if (closed_to(g, g->admitted_source))
        return lt_err_set(err, LT_EFENCED, "fenced: nothing is acknowledged to this source");
    if (connection == 0 || g->admitted != connection)
        return lt_err_set(err, LT_EINVAL, "connection %llu is not admitted to acknowledge",
                          (unsigned long long)connection);
    return LT_OK;
}

int gate_send_dump(struct ack_gate *g, uint64_t connection, struct wire *w, const void *packet, size_t len,
                   const char *file, uint64_t offset, struct lt_err *err)
{
    pthread_mutex_lock(&g->lock);
    int rc = check_admitted(g, connection, err);
    bool next_start =
        offset == BINLOG_MAGIC_LEN && g->durable.file[0] != '\0' && binlog_name_follows(g->durable.file, file);
    if (rc == 0 && !next_start && !not_after(file, offset, &g->durable))
        rc = lt_err_set(err, LT_EINVAL, "a semi-sync dump from %s:%llu would acknowledge more than is durable", file,
                        (unsigned long long)offset);
    if (rc == 0)
        rc = wire_send_whole(w, packet, len, err);
    pthread_mutex_unlock(&g->lock);
    return rc;
}

int gate_send_ack(struct ack_gate *g, uint64_t connection, struct wire *w, const char *file, uint64_t offset,
                  struct lt_err *err)
{
    uint8_t packet[PACKET_HEADER_LEN + 9 + PACKET_ACK_NAME_MAX];
    size_t len = 0;
    int rc = packet_write_ack(packet, sizeof packet, file, offset, &len);
    if (rc != 0)
        return lt_err_set(err, rc, "no ACK can name %s:%llu", file, (unsigned long long)offset);
    pthread_mutex_lock(&g->lock);
    rc = check_admitted(g, connection, err);
    if (rc == 0 && not_after(file, offset, &g->acked))
        rc = LT_EOS;
    if (rc == 0 && !not_after(file, offset, &g->durable))
        rc = lt_err_set(err, LT_EINVAL, "%s:%llu is not durable", file, (unsigned long long)offset);
    if (rc == 0)
        rc = wire_send_whole(w, packet, len, err);
    if (rc == 0) {
        set_position(&g->acked, file, offset);
        set_position(&g->last_acked, file, offset);
        memcpy(g->last_acked_source, g->admitted_source, sizeof g->last_acked_source);
        g->acks_sent++;
    }
    pthread_mutex_unlock(&g->lock);
    return rc;
}

static void set_closed(struct ack_gate *g, bool closed, const char *open_to)
{
    pthread_mutex_lock(&g->lock);
    g->closed = closed;
    (void)snprintf(g->open_to, sizeof g->open_to, "%s", open_to);
    if (open_to[0] != '\0')
        follow_only(g, open_to);
    pthread_mutex_unlock(&g->lock);
}

void gate_close(struct ack_gate *g)
{
    set_closed(g, true, "");
}

void gate_open(struct ack_gate *g)
{
    set_closed(g, false, "");
}

void gate_open_to(struct ack_gate *g, const char *source_id)
{
    set_closed(g, true, source_id);
}

bool gate_is_closed(struct ack_gate *g, const char *source_id)
{
    pthread_mutex_lock(&g->lock);
    bool closed = closed_to(g, source_id);
    pthread_mutex_unlock(&g->lock);
    return closed;
}

void gate_view(struct ack_gate *g, struct gate_view *ret)
{
    pthread_mutex_lock(&g->lock);
    *ret = (struct gate_view){.durable = g->durable, .acked = g->last_acked, .acks_sent = g->acks_sent};
    pthread_mutex_unlock(&g->lock);
}
