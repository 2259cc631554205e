#include "one_commit.h"

#include "proc.h"

#define ACK_MS 60000

static double between(uint64_t from_us, uint64_t to_us)
{
    return to_us > from_us ? (double)(to_us - from_us) : 0;
}

void one_commit(struct fake_primary *fp, struct daemon *dm, size_t blob, struct one_commit *ret)
{
    struct fake_pos from = fake_end(fp);
    struct fake_pos end = fake_commit(fp, &(struct fake_txn_spec){.blob_len = blob});
    struct fake_counters n;
    struct fake_sent sent;
    struct fake_ack ack;
    if (!fake_wait_ack(fp, &end, ACK_MS)) {
        daemon_show_log(dm);
        proc_die("no ACK within %d ms", ACK_MS);
    }
    fake_counters(fp, &n);
    if (!fake_last_sent(fp, &sent) || !fake_ack_get(fp, n.acks - 1, &ack) || sent.at.pos != end.pos)
        proc_die("the record of what was sent is not of this transaction");
    *ret = (struct one_commit){
        .bytes = end.pos - from.pos,
        .end = end.pos,
        .acked_us = ack.at_us,
        .after_sent_us = between(sent.after_us, ack.at_us),
        .since_sending_us = between(sent.before_us, ack.at_us),
    };
}
