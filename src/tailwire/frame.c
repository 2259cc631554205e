#include "tailwire/frame.h"

#include "base/cursor.h"

static const uint8_t magic[2] = {'L', 'T'};

void frame_header_write(uint8_t out[FRAME_HEADER_LEN], enum frame_type type, uint32_t message_len, uint32_t payload_len)
{
    out[0] = magic[0];
    out[1] = magic[1];
    out[2] = FRAME_VERSION;
    out[3] = (uint8_t)type;
    store_u32(out + 4, message_len);
    store_u32(out + 8, payload_len);
}

const char *frame_type_name(uint8_t type)
{
    switch (type) {
    case FRAME_HELLO:
        return "hello";
    case FRAME_SUBSCRIBE:
        return "subscribe";
    case FRAME_COMMIT:
        return "commit";
    case FRAME_HELLO_REPLY:
        return "hello_reply";
    case FRAME_FILE_BEGIN:
        return "file_begin";
    case FRAME_BATCH:
        return "batch";
    case FRAME_FILE_END:
        return "file_end";
    case FRAME_HEARTBEAT:
        return "heartbeat";
    case FRAME_END:
        return "end";
    case FRAME_COMMITTED:
        return "committed";
    case FRAME_ERROR:
        return "error";
    default:
        return "unknown";
    }
}

static bool type_fits(uint8_t type, bool from_client)
{
    if (from_client)
        return type >= FRAME_HELLO && type <= FRAME_COMMIT;
    return type >= FRAME_HELLO_REPLY && type <= FRAME_ERROR;
}

/* Wrong bytes are told as soon as they are there: a peer that speaks something else may never send twelve. */
static int check_start(const uint8_t *p, size_t len, bool from_client, struct lt_err *err)
{
    for (size_t i = 0; i < sizeof magic && i < len; i++) {
        if (p[i] != magic[i])
            return lt_err_set(err, LT_EPROTO, "not the tail protocol: byte %zu is 0x%02x", i, p[i]);
    }
    if (len > 2 && p[2] != FRAME_VERSION)
        return lt_err_set(err, LT_EPROTO, "framing version %u, known is %u", p[2], FRAME_VERSION);
    if (len > 3 && !type_fits(p[3], from_client))
        return lt_err_set(err, LT_EPROTO, "frame type %u does not come from a %s", p[3],
                          from_client ? "client" : "server");
    return LT_OK;
}

int frame_header_parse(const void *data, size_t len, const struct frame_limits *limits, struct frame_header *ret,
                       struct lt_err *err)
{
    const uint8_t *p = data;
    int rc = check_start(p, len, limits->from_client, err);
    if (rc != LT_OK)
        return rc;
    if (len < FRAME_HEADER_LEN)
        return lt_err_set(err, LT_ESHORT, "%zu of %u bytes of a frame header", len, FRAME_HEADER_LEN);
    struct frame_header h = {.type = p[3], .message_len = load_u32(p + 4), .payload_len = load_u32(p + 8)};
    if (h.message_len > limits->message_max)
        return lt_err_set(err, LT_ETOOBIG, "a %s message of %u bytes, at most %u are taken", frame_type_name(h.type),
                          h.message_len, limits->message_max);
    if (h.payload_len > 0 && h.type != FRAME_BATCH)
        return lt_err_set(err, LT_EPROTO, "a %s frame has no payload", frame_type_name(h.type));
    if (h.payload_len > limits->payload_max)
        return lt_err_set(err, LT_ETOOBIG, "a payload of %u bytes, at most %u are taken", h.payload_len,
                          limits->payload_max);
    *ret = h;
    return LT_OK;
}
