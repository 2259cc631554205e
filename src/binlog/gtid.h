/*
 * GTIDs and GTID sets of both flavours.
 *
 * Layer: binlog. Pure but for memory: a set grows by realloc and says LT_ENOMEM. Thread: one at a time.
 * Owns: its arrays (gtid_set_fini). Results are not written on failure.
 *
 * MySQL:   set of uuid[:tag]:first-last intervals, text "uuid:1-5:7,uuid:mytag:1" (whitespace and newlines after commas accepted, letters of the uuid in lower case when printed).
 * MariaDB: binlog state: the last sequence number of every (domain, server_id), with the last server of each domain. Text
 *          "0-1-100,0-2-90,1-1-5": sorted by domain, inside a domain the last-written server comes last. As a set it holds d-s-n
 *          when the state has reached it: a d-s-m with m >= n. Sequence numbers may go back when strict mode is off: the later one wins in add.
 */
#ifndef LT_BINLOG_GTID_H
#define LT_BINLOG_GTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GTID_UUID_LEN      16
#define GTID_UUID_TEXT_LEN 36
#define GTID_TAG_MAX       32
#define GTID_TEXT_MAX      (GTID_UUID_TEXT_LEN + 1 + GTID_TAG_MAX + 1 + 20 + 1)

enum gtid_kind { GTID_NONE, GTID_MYSQL, GTID_MARIADB };

struct gtid {
    enum gtid_kind kind;
    uint64_t seq; /* MySQL: GNO, 1..2^63-2; MariaDB: sequence number */
    /* MySQL */
    uint8_t uuid[GTID_UUID_LEN];
    char tag[GTID_TAG_MAX + 1]; /* "" = untagged */
    /* MariaDB */
    uint32_t domain_id;
    uint32_t server_id;
};

/* buf of at least GTID_TEXT_MAX; "" for GTID_NONE. Returns buf. */
char *gtid_format(const struct gtid *g, char *buf, size_t cap);
int gtid_parse(enum gtid_kind kind, const char *text, struct gtid *ret) LT_MUST_CHECK;

int uuid_parse(const char *text, uint8_t ret_uuid[GTID_UUID_LEN]) LT_MUST_CHECK; /* 36 characters, with dashes */
void uuid_format(const uint8_t uuid[GTID_UUID_LEN], char buf[GTID_UUID_TEXT_LEN + 1]);

struct gtid_interval {
    uint64_t first;
    uint64_t last; /* inclusive */
};

struct gtid_source { /* one uuid[:tag], its intervals sorted, disjoint, not adjacent */
    uint8_t uuid[GTID_UUID_LEN];
    char tag[GTID_TAG_MAX + 1];
    struct gtid_interval *intervals;
    size_t count;
    size_t cap;
};

struct gtid_state { /* MariaDB: one (domain, server_id) */
    uint32_t domain_id;
    uint32_t server_id;
    uint64_t seq;
    bool last_in_domain;
};

struct gtid_set {
    enum gtid_kind kind;         /* GTID_NONE: empty, takes the kind of the first thing put in */
    struct gtid_source *sources; /* sorted by uuid, tag */
    size_t source_count;
    size_t source_cap;
    struct gtid_state *states; /* sorted by domain_id, server_id */
    size_t state_count;
    size_t state_cap;
    size_t last_used; /* index of the source or state added to last: a guess, checked before use */
};

/* Zero-initialised is an empty set too. */
void gtid_set_init(struct gtid_set *set);
void gtid_set_fini(struct gtid_set *set);
void gtid_set_clear(struct gtid_set *set); /* empty, keeps memory */
int gtid_set_copy(struct gtid_set *dst, const struct gtid_set *src) LT_MUST_CHECK;
size_t gtid_set_bytes(const struct gtid_set *set); /* of memory, beside the struct itself */
bool gtid_set_is_empty(const struct gtid_set *set);

/* LT_EINVAL when the flavours differ. Appending the next number of a known source is O(log sources). */
int gtid_set_add(struct gtid_set *set, const struct gtid *g) LT_MUST_CHECK;
/* MariaDB: the higher number of each (domain, server). */
int gtid_set_union(struct gtid_set *set, const struct gtid_set *other) LT_MUST_CHECK;
/* MariaDB: what of `set` is ahead of `other`, per (domain, server). */
int gtid_set_subtract(struct gtid_set *set, const struct gtid_set *other) LT_MUST_CHECK;
bool gtid_set_contains(const struct gtid_set *set, const struct gtid *g);
bool gtid_set_contains_set(const struct gtid_set *set, const struct gtid_set *subset);
/* MariaDB: the same numbers; which server wrote last in a domain does not count. */
bool gtid_set_equal(const struct gtid_set *a, const struct gtid_set *b);
/* Number of transactions (MySQL); number of states (MariaDB). */
uint64_t gtid_set_count(const struct gtid_set *set);

int gtid_set_parse(enum gtid_kind kind, const char *text,
                   struct gtid_set *ret) LT_MUST_CHECK; /* ret: initialised; replaced on success */
/* malloc'd text, caller frees; NULL when out of memory. MariaDB one-line form as above. */
char *gtid_set_format(const struct gtid_set *set);

/* MySQL binary form (dump command, Previous_gtids), untagged and tagged. */
int gtid_set_decode_mysql(const uint8_t *data, size_t len, struct gtid_set *ret, size_t *ret_used) LT_MUST_CHECK;
/* malloc'd; tagged form only when a tag is present. */
int gtid_set_encode_mysql(const struct gtid_set *set, uint8_t **ret_data, size_t *ret_len) LT_MUST_CHECK;

/* Whole events PREVIOUS_GTIDS (35) and GTID_LIST (163); crc: the last 4 bytes are a checksum. */
int gtid_set_from_previous_gtids(const uint8_t *event, size_t len, bool crc, struct gtid_set *ret) LT_MUST_CHECK;
int gtid_set_from_gtid_list(const uint8_t *event, size_t len, bool crc, struct gtid_set *ret) LT_MUST_CHECK;

#endif
