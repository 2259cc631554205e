/* What a reload changes: the rows with CONF_RELOAD, all or none. */
#include <string.h>

#include "daemon/conf_table.h"

static size_t size_of(enum conf_type type)
{
    switch (type) {
    case CONF_STRING:
    case CONF_PATH:
    case CONF_FILE:
    case CONF_START:
        return sizeof(char *);
    case CONF_BOOL:
        return sizeof(bool);
    case CONF_U32:
    case CONF_MODE:
        return sizeof(uint32_t);
    case CONF_BYTES:
    case CONF_DURATION:
        return sizeof(uint64_t);
    case CONF_ENUM:
        return sizeof(int);
    case CONF_LISTEN:
        return sizeof(struct conf_listen);
    }
    lt_assert(false && "every type has a size");
}

static void swap_rows(struct conf *a, struct conf *b)
{
    unsigned char saved[sizeof(struct conf_listen)];
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        size_t size = size_of(row->type);
        if ((row->flags & CONF_RELOAD) == 0)
            continue;
        memcpy(saved, conf_value_place(row, a), size);
        memcpy(conf_value_place(row, a), conf_value_place(row, b), size);
        memcpy(conf_value_place(row, b), saved, size);
        unsigned char origin = a->origin[i];
        a->origin[i] = b->origin[i];
        b->origin[i] = origin;
    }
}

int conf_adopt(struct conf *running, struct conf *fresh, struct lt_err *err)
{
    swap_rows(running, fresh);
    int rc = conf_finish(running, err);
    if (rc != 0) {
        swap_rows(running, fresh);
        lt_err_wrap(err, "with what needs a restart left as it is");
    }
    return rc;
}
