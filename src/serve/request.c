/*
 * - The header is judged as soon as its bytes are there; the message is unpacked only when it is there whole.
 * - protobuf-c keeps fields it does not know, each in an allocation of its own: an allocator with a budget keeps a small message from growing.
 * Failure: nothing is kept.
 */
#include "serve/request.h"

#include <stdlib.h>

struct budget {
    size_t left;
};

static void *budget_alloc(void *data, size_t size)
{
    struct budget *b = data;
    if (size > b->left)
        return NULL;
    b->left -= size;
    return malloc(size);
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

/* For request_fini: the messages' memory is plain malloc's. */
static void plain_free(void *data, void *p)
{
    (void)data;
    free(p);
}

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
    struct budget b = {.left = (size_t)h.message_len + REQUEST_SLACK};
    ProtobufCAllocator alloc = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &b};
    ProtobufCMessage *m =
        protobuf_c_message_unpack(descriptor(h.type), &alloc, h.message_len, (const uint8_t *)data + FRAME_HEADER_LEN);
    if (m == NULL)
        return lt_err_set(err, LT_EPROTO, "a %s message that does not parse", frame_type_name(h.type));
    *ret = (struct request){.type = h.type, .any = m};
    *ret_used = FRAME_HEADER_LEN + h.message_len;
    return 0;
}

void request_fini(struct request *r)
{
    ProtobufCAllocator alloc = {.free = plain_free};
    if (r->any != NULL)
        protobuf_c_message_free_unpacked(r->any, &alloc);
    r->any = NULL;
}
