/*
 * One object per line. Events have "kind": "event"; the marks "file_begin", "file_end", "lineage", "heartbeat" and "end" have their position and
 * what they say. Fields are documented in binlogtail.1. Bytes that are not UTF-8 (names in other character sets) become U+FFFD.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "binlog/event.h"
#include "client/printer.h"

static json_t *string_of(const char *data, size_t len)
{
    json_t *j = json_stringn(data, len);
    if (j != NULL)
        return j;
    struct text t = {0};
    for (size_t i = 0; i < len; i++) {
        bool plain = (unsigned char)data[i] < 0x80;
        text_add(&t, plain ? data + i : "\xef\xbf\xbd", plain ? 1 : 3);
    }
    j = json_stringn(t.data != NULL ? t.data : "", t.len);
    text_fini(&t);
    return j;
}

static void put_string(json_t *o, const char *key, const char *value)
{
    (void)json_object_set_new(o, key, string_of(value, strlen(value)));
}

static void put_number(json_t *o, const char *key, uint64_t value)
{
    (void)json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void put_position(json_t *o, const struct binlogtail_position *pos)
{
    put_number(o, "lineage", pos->lineage);
    put_string(o, "source_id", pos->source_id);
    put_string(o, "file", pos->file);
    put_number(o, "offset", pos->offset);
}

static void write_line(struct text *t, json_t *o)
{
    char *s = json_dumps(o, JSON_COMPACT);
    if (s == NULL)
        t->failed = true;
    else
        text_printf(t, "%s\n", s);
    free(s);
    json_decref(o);
}

static const char *transaction_word(unsigned marks)
{
    if ((marks & BINLOGTAIL_TXN_BEGIN) && (marks & BINLOGTAIL_TXN_END))
        return "whole";
    if (marks & BINLOGTAIL_TXN_BEGIN)
        return "begin";
    if (marks & BINLOGTAIL_TXN_END)
        return "end";
    return marks & BINLOGTAIL_TXN_PART ? "part" : "none";
}

void printer_json(struct printer *p, struct text *t, const struct binlogtail_event *ev, const struct shown *s)
{
    json_t *o = json_object();
    put_string(o, "kind", "event");
    put_number(o, "time", ev->time_s);
    put_number(o, "server_id", ev->server_id);
    put_position(o, &ev->position);
    put_number(o, "end_offset", ev->end_offset);
    put_string(o, "type", ev->type_name);
    put_number(o, "type_code", ev->type);
    put_number(o, "length", ev->length);
    put_number(o, "flags", ev->flags);
    put_string(o, "transaction", transaction_word(ev->marks));
    put_string(o, "gtid", ev->gtid);
    if (ev->marks & BINLOGTAIL_TXN_CUT)
        (void)json_object_set_new(o, "cut", json_true());
    if (s->table != NULL) {
        put_string(o, "database", s->table->database);
        put_string(o, "table", s->table->table);
    } else if (s->is_query) {
        (void)json_object_set_new(o, "database", string_of(s->query.database, s->query.database_len));
        if (p->opts->statements && s->query.statement != NULL)
            (void)json_object_set_new(o, "statement", string_of(s->query.statement, s->query.statement_len));
    }
    write_line(t, o);
}

static const char *mark_word(enum binlogtail_kind kind)
{
    switch (kind) {
    case BINLOGTAIL_LINEAGE:
        return "lineage";
    case BINLOGTAIL_FILE_BEGIN:
        return "file_begin";
    case BINLOGTAIL_FILE_END:
        return "file_end";
    case BINLOGTAIL_HEARTBEAT:
        return "heartbeat";
    case BINLOGTAIL_CONNECTED:
    case BINLOGTAIL_DISCONNECTED:
    case BINLOGTAIL_EVENT:
    case BINLOGTAIL_CAUGHT_UP:
    case BINLOGTAIL_COMMITTED:
    case BINLOGTAIL_END:
    default:
        return "end";
    }
}

void printer_json_mark(struct text *t, const struct binlogtail_event *ev)
{
    json_t *o = json_object();
    put_string(o, "kind", mark_word(ev->kind));
    put_position(o, &ev->position);
    if (ev->kind == BINLOGTAIL_FILE_BEGIN)
        put_string(o, "flavor", ev->flavor);
    if (ev->kind == BINLOGTAIL_FILE_END)
        (void)json_object_set_new(o, "aborted", json_boolean(ev->aborted));
    if (ev->kind == BINLOGTAIL_HEARTBEAT) {
        json_t *d = json_object();
        put_position(d, &ev->durable);
        (void)json_object_set_new(o, "durable", d);
        put_number(o, "source_time_us", ev->source_time_us);
        put_number(o, "server_time_us", ev->server_time_us);
    }
    if (ev->marks & BINLOGTAIL_TXN_CUT)
        (void)json_object_set_new(o, "cut", json_true());
    write_line(t, o);
}
