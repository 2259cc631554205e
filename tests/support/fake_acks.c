/* What a client sends while a dump runs: acknowledgements, and the packets that do harm there. */
#include "fake_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "binlog/packet.h"

#define COM_QUIT 0x01
#define COM_PING 0x0e

static bool loses_ack(struct fake_stream *st)
{
    for (size_t i = 0; i < st->rule_count; i++) {
        unsigned lose = st->rules[i].lose_acks;
        if (!lose || st->lost_acks >= lose)
            continue;
        if (++st->lost_acks == lose) {
            atomic_store(&st->cn->reset, true);
            st->over = true;
        }
        return true;
    }
    return false;
}

static void record(struct fake_stream *st, const struct fake_ack *ack)
{
    struct fake_primary *fp = st->cn->fp;
    fake_lock(fp);
    const struct fake_file *f = fake_file_find(fp, ack->at.file, NULL);
    fp->counters.split_acks += !ack->one_read;
    if (!f || ack->at.pos > fake_file_end(f) || ack->seq != 0 || !st->header) {
        fp->counters.bad_acks++;
    } else {
        fp->acks = fake_grow(fp->acks, fp->ack_count, &fp->ack_cap, sizeof *fp->acks);
        fp->acks[fp->ack_count++] = *ack;
        fp->counters.acks++;
        if (fake_pos_cmp(&ack->at, &fp->acked) > 0)
            fp->acked = ack->at;
        if (fake_pos_cmp(&ack->at, &fp->released) > 0)
            fp->released = ack->at;
    }
    fake_notify(fp);
    fake_unlock(fp);
}

static void count(struct fake_stream *st, unsigned *counter)
{
    fake_lock(st->cn->fp);
    ++*counter;
    fake_notify(st->cn->fp);
    fake_unlock(st->cn->fp);
}

static void take_packet(struct fake_stream *st, const uint8_t *p, size_t len, uint8_t seq, bool one_read)
{
    struct fake_counters *n = &st->cn->fp->counters;
    if (len >= 9 && p[0] == PACKET_SEMI_SYNC_MAGIC) {
        struct fake_ack ack = {.dump = st->rec.number, .at_us = clock_mono_us(), .one_read = one_read, .seq = seq};
        ack.at.pos = load_u64(p + 1);
        (void)snprintf(ack.at.file, sizeof ack.at.file, "%.*s", (int)(len - 9), (const char *)p + 9);
        /* MariaDB takes a client that has said COM_QUIT off its list of acknowledgers. */
        if (!loses_ack(st) && !(st->quit_seen && fake_is_mariadb(st->cn->fp)))
            record(st, &ack);
    } else if (len == 1 && p[0] == COM_QUIT) {
        st->quit_seen = true;
        count(st, &n->quits_on_dump);
    } else if (len == 1 && p[0] == COM_PING) {
        count(st, &n->pings_on_dump);
    } else {
        count(st, len && p[0] == PACKET_SEMI_SYNC_MAGIC ? &n->bad_acks : &n->other_on_dump);
    }
}

bool fake_take_acks(struct fake_stream *st)
{
    struct fake_io *io = &st->cn->io;
    for (;;) {
        bool torn = io->in_len > 0;
        long n = fake_io_fill(io);
        if (n <= 0)
            return n == 0;
        size_t at = 0;
        while (io->in_len - at >= PACKET_HEADER_LEN) {
            size_t len = load_u24(io->in + at);
            if (len + PACKET_HEADER_LEN > sizeof io->in)
                return false;
            if (io->in_len - at < PACKET_HEADER_LEN + len)
                break;
            take_packet(st, io->in + at + PACKET_HEADER_LEN, len, io->in[at + 3], !torn);
            torn = false;
            at += PACKET_HEADER_LEN + len;
        }
        memmove(io->in, io->in + at, io->in_len - at);
        io->in_len -= at;
    }
}
