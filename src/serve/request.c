/*
 * - The header is judged as soon as its bytes are there; the message is unpacked only when it is there whole.
 * - Its memory is bounded by its bytes (message_unpack).
 * Failure: nothing is kept.
 */
#include "serve/request.h"

#include "tailwire/message.h"

static const ProtobufCMessageDescriptor *descriptor(uint8_t type)
{
    switch (type) {
    case FRAME_HELLO:
        return &logtailer__tail__hello__descriptor;
    case FRAME_SUBSCRIBE:
        return &logtailer__tail__subscribe__descriptor;
    default:
        return &logtailer__tail__commit__descriptor;
    }
}

int request_parse(const void *data, size_t len, uint32_t message_max, struct request *ret, size_t *ret_used,
                  struct lt_err *err)
{
    struct frame_limits limits = {.from_client = true, .message_max = message_max};
    struct frame_header h;
    int rc = frame_header_parse(data, len, &limits, &h, err);
    if (rc != 0)
        return rc;
    if (len - FRAME_HEADER_LEN < h.message_len)
        return lt_err_set(err, LT_ESHORT, "%zu of %u bytes of a message", len - FRAME_HEADER_LEN, h.message_len);
    ProtobufCMessage *m = message_unpack(descriptor(h.type), (const uint8_t *)data + FRAME_HEADER_LEN, h.message_len);
    if (m == NULL)
        return lt_err_set(err, LT_EPROTO, "a %s message that does not parse", frame_type_name(h.type));
    *ret = (struct request){.type = h.type, .any = m};
    *ret_used = FRAME_HEADER_LEN + h.message_len;
    return 0;
}

void request_fini(struct request *r)
{
    message_free(r->any);
    r->any = NULL;
}
