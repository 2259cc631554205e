/* What the client says: Hello, Subscribe, Commit. Failure: LT_ENOMEM, LT_ETOOBIG (a GTID set beyond what requests hold), or of the connection. */
#include <stdlib.h>

#include "client/handle.h"
#include "tailwire/message.h"

static int send_message(struct binlogtail *bt, enum frame_type type, const ProtobufCMessage *m, struct lt_err *err)
{
    uint8_t *frame = NULL;
    size_t len = 0;
    if (protobuf_c_message_get_packed_size(m) > FRAME_REQUEST_MAX)
        return lt_err_set(err, LT_ETOOBIG, "a %s of more than %u bytes", frame_type_name((uint8_t)type),
                          FRAME_REQUEST_MAX);
    if (message_frame(type, m, &frame, &len) != 0)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    int rc = conn_send(&bt->conn, frame, len, err);
    free(frame);
    return rc;
}

static char *or_empty(const char *s)
{
    return (char *)(s != NULL ? s : "");
}

int request_hello(struct binlogtail *bt, struct lt_err *err)
{
    Logtailer__Tail__Hello m = LOGTAILER__TAIL__HELLO__INIT;
    m.min_version = TAIL_VERSION_MIN;
    m.max_version = TAIL_VERSION_MAX;
    m.name = or_empty(bt->opt.name);
    m.token = or_empty(bt->opt.token);
    m.agent = or_empty(bt->opt.agent);
    if (m.token[0] != '\0' && bt->conn.ssl == NULL && !bt->conn.loopback && !bt->opt.token_in_clear)
        return lt_err_set(err, LT_EINVAL, "the token would go to %s in the clear", bt->conn.address);
    return send_message(bt, FRAME_HELLO, &m.base, err);
}

static Logtailer__Tail__StartKind start_kind(enum binlogtail_start start)
{
    switch (start) {
    case BINLOGTAIL_START_EARLIEST:
        return LOGTAILER__TAIL__START_KIND__START_EARLIEST;
    case BINLOGTAIL_START_POSITION:
        return LOGTAILER__TAIL__START_KIND__START_POSITION;
    case BINLOGTAIL_START_GTIDS:
        return LOGTAILER__TAIL__START_KIND__START_GTIDS;
    case BINLOGTAIL_START_LATEST:
    default:
        return LOGTAILER__TAIL__START_KIND__START_LATEST;
    }
}

/* Where to begin: where the stream is, else where the name committed, else as the options say. */
static const struct place *choose_start(struct binlogtail *bt, Logtailer__Tail__Subscribe *m, struct stream_ask *ask)
{
    m->start = start_kind(bt->opt.start);
    if (bt->stream.begun) {
        ask->resumed = !bt->by_gtids_anew;
        return ask->resumed ? &bt->stream.at : NULL;
    }
    if (bt->opt.resume_committed && place_is_set(&bt->stream.hello.committed))
        ask->start = &bt->stream.hello.committed;
    else if (bt->opt.start == BINLOGTAIL_START_POSITION)
        ask->start = &bt->start;
    return ask->start;
}

int request_subscribe(struct binlogtail *bt, struct lt_err *err)
{
    Logtailer__Tail__Subscribe m = LOGTAILER__TAIL__SUBSCRIBE__INIT;
    Logtailer__Tail__Position position;
    struct stream_ask ask = {0};
    struct place from = {0};
    char *set = NULL;
    const struct place *start = choose_start(bt, &m, &ask);
    if (start != NULL) {
        from = *start;
        position = place_to_message(&from);
        m.start = LOGTAILER__TAIL__START_KIND__START_POSITION;
        m.position = &position;
    }
    if (bt->stream.by_gtids) {
        set = gtid_set_format(&bt->stream.gtids);
        if (set == NULL)
            return lt_err_set(err, LT_ENOMEM, "out of memory");
        m.gtid_set = set;
    }
    m.until_end = bt->opt.until_end;
    m.max_batch_bytes = bt->opt.max_batch_bytes;
    int rc = send_message(bt, FRAME_SUBSCRIBE, &m.base, err);
    free(set);
    if (rc == 0)
        stream_subscribed(&bt->stream, &ask);
    return rc;
}

int request_commit(struct binlogtail *bt, struct lt_err *err)
{
    Logtailer__Tail__Commit m = LOGTAILER__TAIL__COMMIT__INIT;
    Logtailer__Tail__Position position = place_to_message(&bt->commit);
    m.position = &position;
    int rc = send_message(bt, FRAME_COMMIT, &m.base, err);
    if (rc != 0)
        return rc;
    bt->unconfirmed = bt->commit;
    bt->commit = (struct place){0};
    return 0;
}
