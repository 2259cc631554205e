#include "tailwire/message.h"

#include <stdlib.h>

#include "tail.pb-c.h"

const ProtobufCMessageDescriptor *message_of_reply(uint8_t type)
{
    switch (type) {
    case FRAME_HELLO_REPLY:
        return &logtailer__tail__hello_reply__descriptor;
    case FRAME_FILE_BEGIN:
        return &logtailer__tail__file_begin__descriptor;
    case FRAME_BATCH:
        return &logtailer__tail__batch__descriptor;
    case FRAME_FILE_END:
        return &logtailer__tail__file_end__descriptor;
    case FRAME_HEARTBEAT:
        return &logtailer__tail__heartbeat__descriptor;
    case FRAME_END:
        return &logtailer__tail__end__descriptor;
    case FRAME_COMMITTED:
        return &logtailer__tail__committed__descriptor;
    default:
        return &logtailer__tail__error__descriptor;
    }
}

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

static void plain_free(void *data, void *p)
{
    (void)data;
    free(p);
}

ProtobufCMessage *message_unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t len)
{
    struct budget b = {.left = len + MESSAGE_SLACK};
    ProtobufCAllocator alloc = {.alloc = budget_alloc, .free = plain_free, .allocator_data = &b};
    return protobuf_c_message_unpack(desc, &alloc, len, data);
}

void message_free(ProtobufCMessage *m)
{
    ProtobufCAllocator alloc = {.free = plain_free};
    if (m != NULL)
        protobuf_c_message_free_unpacked(m, &alloc);
}

int message_frame(enum frame_type type, const ProtobufCMessage *m, uint8_t **ret_frame, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    if (len > FRAME_REPLY_MAX)
        return LT_ETOOBIG;
    uint8_t *frame = malloc(FRAME_HEADER_LEN + len);
    if (frame == NULL)
        return LT_ENOMEM;
    frame_header_write(frame, type, (uint32_t)len, 0);
    (void)protobuf_c_message_pack(m, frame + FRAME_HEADER_LEN);
    *ret_frame = frame;
    *ret_len = FRAME_HEADER_LEN + len;
    return 0;
}
