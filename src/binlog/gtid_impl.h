/*
 * What the files of the GTID module share. Not for other layers.
 *
 * Layer: binlog, private. Thread: as gtid.h.
 */
#ifndef LT_BINLOG_GTID_IMPL_H
#define LT_BINLOG_GTID_IMPL_H

#include "base/cursor.h"
#include "binlog/gtid.h"

#define GTID_GNO_MAX (UINT64_C(0x7fffffffffffffff) - 1)

/* Whether a character may stand in a tag: [a-z_] first, then digits too. */
bool gtid_tag_char_ok(char ch, bool first);
/* Length as varlen, then the tag's bytes. Empty is a tag too (untagged). */
int gtid_tag_take(struct cursor *c, char ret_tag[GTID_TAG_MAX + 1]) LT_MUST_CHECK;

/* Decimal digits at *text, which moves behind them. LT_EPROTO when there is none or it does not fit. */
int gtid_take_number(const char **text, uint64_t max, uint64_t *ret) LT_MUST_CHECK;
/* Blanks, line ends, and both as people get them from `mysql -BN`: \n, \r and \t in two characters. */
const char *gtid_skip_space(const char *text);
/* A set may stand in quotes (', " or `). The one that opens is skipped and returned; '\0': none. */
char gtid_open_quote(const char **text);
/* Nothing follows but blanks, the closing quote where one was opened, and a semicolon. */
bool gtid_at_end(const char *text, char quote);

/* Binary search in a sorted array: index of the element that compares 0, or of the place where it belongs. compare: element minus key. */
typedef int gtid_compare_fn(const void *element, const void *key);
size_t gtid_search(const void *array, size_t count, size_t size, gtid_compare_fn *compare, const void *key,
                   bool *ret_found);

/* Make room for one more element of `size` bytes. */
int gtid_grow(void **array, size_t *cap, size_t count, size_t size) LT_MUST_CHECK;
/* Text that grows. */
struct gtid_text {
    char *data;
    size_t len;
    size_t cap;
    bool failed;
};
void gtid_text_add(struct gtid_text *t, const char *fmt, ...) LT_PRINTF(2, 3);

/* MySQL half of a set. */
int gtid_mysql_add(struct gtid_set *set, const struct gtid *g) LT_MUST_CHECK;
int gtid_mysql_add_interval(struct gtid_set *set, const uint8_t *uuid, const char *tag,
                            struct gtid_interval iv) LT_MUST_CHECK;
int gtid_mysql_copy(struct gtid_set *dst, const struct gtid_set *src) LT_MUST_CHECK;
int gtid_mysql_union(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *ret) LT_MUST_CHECK;
int gtid_mysql_subtract(const struct gtid_set *set, const struct gtid_set *other, struct gtid_set *ret) LT_MUST_CHECK;
bool gtid_mysql_contains(const struct gtid_set *set, const struct gtid *g);
bool gtid_mysql_contains_set(const struct gtid_set *set, const struct gtid_set *subset);
bool gtid_mysql_equal(const struct gtid_set *a, const struct gtid_set *b);
uint64_t gtid_mysql_count(const struct gtid_set *set);
int gtid_mysql_parse(const char *text, struct gtid_set *set) LT_MUST_CHECK;
void gtid_mysql_format(const struct gtid_set *set, struct gtid_text *t);
/* uuid[:tag] at *text, which moves behind the uuid only. */
int gtid_mysql_take_uuid(const char **text, uint8_t ret_uuid[GTID_UUID_LEN]) LT_MUST_CHECK;
int gtid_mysql_take_tag(const char **text, char ret_tag[GTID_TAG_MAX + 1]) LT_MUST_CHECK;

/* Of a source to a name: as memcmp. */
int gtid_source_compare(const struct gtid_source *s, const uint8_t *uuid, const char *tag);
/* A source without intervals behind the others, wherever it belongs. */
int gtid_mysql_new_source(struct gtid_set *set, const uint8_t *uuid, const char *tag) LT_MUST_CHECK;
/* Many parts in any order: collect each, then settle once; until then it is no set (but may be given to gtid_set_fini). */
int gtid_mysql_collect(struct gtid_set *set, const uint8_t *uuid, const char *tag,
                       struct gtid_interval iv) LT_MUST_CHECK;
int gtid_mysql_settle(struct gtid_set *set) LT_MUST_CHECK;

/* MariaDB half. */
struct gtid_states_list { /* states as they come, of which the later one wins; the owner frees items */
    struct gtid_state_item *items;
    size_t count;
    size_t cap;
};
int gtid_states_collect(struct gtid_states_list *list, const struct gtid *g) LT_MUST_CHECK;
/* Into an empty set. The list is of no use afterwards. */
int gtid_states_settle(struct gtid_states_list *list, struct gtid_set *set) LT_MUST_CHECK;
int gtid_state_compare(const struct gtid_state *s, uint32_t domain_id, uint32_t server_id);
int gtid_mariadb_add(struct gtid_set *set, const struct gtid *g) LT_MUST_CHECK;
int gtid_mariadb_copy(struct gtid_set *dst, const struct gtid_set *src) LT_MUST_CHECK;
int gtid_mariadb_union(const struct gtid_set *a, const struct gtid_set *b, struct gtid_set *ret) LT_MUST_CHECK;
int gtid_mariadb_subtract(const struct gtid_set *set, const struct gtid_set *other, struct gtid_set *ret) LT_MUST_CHECK;
bool gtid_mariadb_contains(const struct gtid_set *set, const struct gtid *g);
bool gtid_mariadb_contains_set(const struct gtid_set *set, const struct gtid_set *subset);
bool gtid_mariadb_equal(const struct gtid_set *a, const struct gtid_set *b);
int gtid_mariadb_parse(const char *text, struct gtid_set *set) LT_MUST_CHECK;
int gtid_mariadb_take(const char **text, struct gtid *ret) LT_MUST_CHECK;
void gtid_mariadb_format(const struct gtid_set *set, struct gtid_text *t);

#endif
