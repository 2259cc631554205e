/* What a reload would put in force: the file's values where the row has CONF_RELOAD, what is in force elsewhere; judged as a whole. */
#include <stdlib.h>
#include <string.h>

#include "daemon/conf_table.h"

static int copy_text(char *const *from, char **to)
{
    char *copy = *from != NULL ? strdup(*from) : NULL;
    if (*from != NULL && copy == NULL)
        return LT_ENOMEM;
    free(*to);
    *to = copy;
    return LT_OK;
}

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

static int copy_rows(const struct conf *running, const struct conf *fresh, struct conf *next)
{
    int rc = LT_OK;
    for (size_t i = 0; rc == LT_OK && i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        const struct conf *from = (row->flags & CONF_RELOAD) != 0 ? fresh : running;
        const void *place = conf_value_look(row, from);
        if (conf_is_text(row->type))
            rc = copy_text(place, conf_value_place(row, next));
        else
            memcpy(conf_value_place(row, next), place, size_of(row->type));
        next->origin[i] = from->origin[i];
    }
    return rc;
}

int conf_next(const struct conf *running, const struct conf *fresh, struct conf *ret_next, struct lt_err *err)
{
    struct conf next;
    int rc = conf_init(&next, err);
    if (rc != LT_OK)
        return rc;
    if (copy_rows(running, fresh, &next) != LT_OK)
        rc = lt_err_set(err, LT_ENOMEM, "out of memory");
    else if ((rc = conf_finish(&next, err)) != LT_OK)
        (void)lt_err_wrap(err, "with what needs a restart left as it is");
    if (rc == LT_OK)
        *ret_next = next;
    else
        conf_fini(&next);
    return rc;
}

void conf_exchange(struct conf *running, struct conf *next)
{
    unsigned char saved[sizeof(struct conf_listen)];
    for (size_t i = 0; i < conf_n_rows; i++) {
        const struct conf_row *row = &conf_rows[i];
        size_t size = size_of(row->type);
        if ((row->flags & CONF_RELOAD) == 0)
            continue;
        memcpy(saved, conf_value_place(row, running), size);
        memcpy(conf_value_place(row, running), conf_value_place(row, next), size);
        memcpy(conf_value_place(row, next), saved, size);
        unsigned char origin = running->origin[i];
        running->origin[i] = next->origin[i];
        next->origin[i] = origin;
    }
}
