/*
 * Binlog events, format v4: headers and the bodies this program has to understand. The rest is opaque and stays so.
 *
 * Layer: binlog. Pure. Thread: any. Borrows: views point into the event's bytes.
 * Errors: LT_ESHORT / LT_EPROTO for malformed bytes; results are not written then.
 * Units: offsets and lengths in bytes; timestamps in seconds since the epoch (header) or microseconds (GTID events).
 *
 *   header:  timestamp:4 | type:1 | server_id:4 | event_length:4 | log_pos:4 | flags:2    then body, then CRC-32 (4) where the file has checksums
 */
#ifndef LT_BINLOG_EVENT_H
#define LT_BINLOG_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "binlog/gtid.h"

#define BINLOG_MAGIC_LEN 4
extern const uint8_t binlog_magic[BINLOG_MAGIC_LEN]; /* fe 62 69 6e */

#define EVENT_HEADER_LEN 19
#define EVENT_CRC_LEN    4
/* Largest event_length accepted: max_allowed_packet is at most 1 GiB; a field of it plus slack. */
#define EVENT_LENGTH_MAX (1024u * 1024u * 1024u + 64u * 1024u * 1024u)

enum event_type {
    EVENT_QUERY = 2,
    EVENT_STOP = 3,
    EVENT_ROTATE = 4,
    EVENT_INTVAR = 5,
    EVENT_APPEND_BLOCK = 9,
    EVENT_DELETE_FILE = 11,
    EVENT_RAND = 13,
    EVENT_USER_VAR = 14,
    EVENT_FORMAT_DESCRIPTION = 15,
    EVENT_XID = 16,
    EVENT_BEGIN_LOAD_QUERY = 17,
    EVENT_EXECUTE_LOAD_QUERY = 18,
    EVENT_TABLE_MAP = 19,
    EVENT_WRITE_ROWS_V1 = 23,
    EVENT_UPDATE_ROWS_V1 = 24,
    EVENT_DELETE_ROWS_V1 = 25,
    EVENT_INCIDENT = 26,
    EVENT_HEARTBEAT = 27,
    EVENT_IGNORABLE = 28,
    EVENT_ROWS_QUERY = 29,
    EVENT_WRITE_ROWS = 30,
    EVENT_UPDATE_ROWS = 31,
    EVENT_DELETE_ROWS = 32,
    EVENT_GTID = 33,
    EVENT_ANONYMOUS_GTID = 34,
    EVENT_PREVIOUS_GTIDS = 35,
    EVENT_TRANSACTION_CONTEXT = 36,
    EVENT_VIEW_CHANGE = 37,
    EVENT_XA_PREPARE = 38,
    EVENT_PARTIAL_UPDATE_ROWS = 39,
    EVENT_TRANSACTION_PAYLOAD = 40,
    EVENT_HEARTBEAT_V2 = 41,
    EVENT_GTID_TAGGED = 42,
    EVENT_MARIADB_ANNOTATE_ROWS = 160,
    EVENT_MARIADB_BINLOG_CHECKPOINT = 161,
    EVENT_MARIADB_GTID = 162,
    EVENT_MARIADB_GTID_LIST = 163,
    EVENT_MARIADB_START_ENCRYPTION = 164,
    EVENT_MARIADB_QUERY_COMPRESSED = 165,
    EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166,
    EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167,
    EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168,
    EVENT_MARIADB_WRITE_ROWS_COMPRESSED = 169,
    EVENT_MARIADB_UPDATE_ROWS_COMPRESSED = 170,
    EVENT_MARIADB_DELETE_ROWS_COMPRESSED = 171,
};

/* "Query", "Xid", ...; "Unknown" for the rest. Never NULL. */
const char *event_type_name(uint8_t type);

#define EVENT_FLAG_IN_USE     0x0001u
#define EVENT_FLAG_ARTIFICIAL 0x0020u
#define EVENT_FLAG_IGNORABLE  0x0080u

/* Kinds that are understood whole by everybody who reads them, and never come near this length. */
#define EVENT_WHOLE_MAX            65536u
#define EVENT_START_ENCRYPTION_MAX 128u
/* A list of GTIDs: 16 million intervals or domains, more than a server can send as one packet of its default size. */
#define EVENT_LIST_MAX (256u * 1024u * 1024u)
/* The largest event of this type that is taken. An event above is refused by name where it comes in, so that nobody behind has to pass over it. */
uint32_t event_length_max(uint8_t type);
bool event_is_gtid_list(uint8_t type); /* Previous_gtids and Gtid_list */

struct event_header {
    uint32_t timestamp;
    uint8_t type;
    uint32_t server_id;
    uint32_t length;  /* header and checksum included */
    uint32_t log_pos; /* low 32 bits of the end offset; 0 in artificial events and inside MariaDB 11.4+ transactions */
    uint16_t flags;
};

/* Needs EVENT_HEADER_LEN bytes. Refuses length < EVENT_HEADER_LEN or > EVENT_LENGTH_MAX. */
int event_header_parse(const uint8_t *data, size_t len, struct event_header *ret) LT_MUST_CHECK;

/*
 * True for what a server makes up while it sends and what is not in its file: these are never stored. `offset`: where the next event of the file
 * stands; 0 = not in a file yet. Told by flags and log_pos against that place, never by the time: a client sets that (SET timestamp).
 */
bool event_is_artificial(const struct event_header *h, uint64_t offset);

enum checksum_alg { CHECKSUM_NONE = 0, CHECKSUM_CRC32 = 1 };

/* CRC of a whole event against its last 4 bytes. An FDE's is computed with IN_USE cleared. */
bool event_crc_ok(const uint8_t *event, size_t len);
/* Write the CRC anew into the last 4 bytes (FDE: IN_USE taken as cleared). */
void event_crc_set(uint8_t *event, size_t len);

struct event_fde {
    uint16_t binlog_version;
    char server_version[51];
    uint32_t created; /* 0 in rotated files and on mid-file starts */
    uint8_t header_len;
    enum checksum_alg checksum;
    bool is_mariadb;
};
/* Whole event. The FDE ends in alg:1 crc:4 whatever the algorithm. LT_EUNSUPPORTED for binlog versions other than 4 and algorithms unknown to us. */
int event_fde_parse(const uint8_t *event, size_t len, struct event_fde *ret) LT_MUST_CHECK;
/* The same file's FDE, whether sent at its start or again on a mid-file start: equal but for log_pos, created, flags and CRC. */
bool event_fde_same_file(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

#define BINLOG_NAME_MAX 255 /* longest file name taken from a peer */

struct event_rotate {
    uint64_t pos;
    char name[BINLOG_NAME_MAX + 1]; /* checked by binlog_name_ok */
};
/* crc: whether the last 4 bytes are a checksum (not part of the name). */
int event_rotate_parse(const uint8_t *event, size_t len, bool crc, struct event_rotate *ret) LT_MUST_CHECK;

struct event_heartbeat {
    uint64_t pos;
    char name[BINLOG_NAME_MAX + 1];
};
/* Types 27 (also MariaDB's form past 4 GiB: log_pos 0 and an 8-byte position first) and 41. */
int event_heartbeat_parse(const uint8_t *event, size_t len, bool crc, struct event_heartbeat *ret) LT_MUST_CHECK;

/* Types 33, 34, 42 and 162. Needs the whole event without its checksum bytes counted: pass crc as for rotate. */
struct event_gtid {
    struct gtid gtid; /* kind GTID_NONE for anonymous */
    uint64_t
        transaction_length; /* from the start of this event to the end of the transaction; 0 where the release has no such field */
    uint64_t commit_us; /* original or immediate commit time, 0 if none */
    uint64_t
        immediate_commit_us; /* when the server that wrote this binlog committed, by its clock: no client sets it; 0 if none */
    uint8_t mariadb_flags2; /* 162 only */
};
#define MARIADB_GTID_STANDALONE   0x01u
#define MARIADB_GTID_GROUP_COMMIT 0x02u
#define MARIADB_GTID_DDL          0x20u
#define MARIADB_GTID_PREPARED_XA  0x40u
#define MARIADB_GTID_COMPLETED_XA 0x80u
int event_gtid_parse(const uint8_t *event, size_t len, bool crc, struct event_gtid *ret) LT_MUST_CHECK;

/* What a QUERY's statement does to transaction boundaries. From the first bytes of the event (at least up to 32 bytes of the statement, or all of it). */
enum query_kind {
    QUERY_OTHER,
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_ROLLBACK,
    QUERY_XA_START,
    QUERY_XA_END,
    QUERY_XA_COMMIT,
    QUERY_XA_ROLLBACK
};
int event_query_kind(const uint8_t *head, size_t head_len, size_t event_len, bool crc,
                     enum query_kind *ret) LT_MUST_CHECK;

/* File names as servers make them: base.NNNNNN, at least 6 digits; no '/', no control byte, not starting with '.'. */
bool binlog_name_ok(const char *name);
/* The number behind the last dot; 0 when the name has none. */
uint64_t binlog_name_number(const char *name);
/* Same base, and the number is one higher. */
bool binlog_name_follows(const char *prev, const char *next);

/*
 * MariaDB's START_ENCRYPTION as we store it: our bytes are clear text, so readers must not try to decrypt them. Type becomes
 * IGNORABLE (28), flag IGNORABLE set, same length and log_pos, CRC made anew where crc. In place.
 */
void event_make_encryption_stand_in(uint8_t *event, size_t len, bool crc);

#endif
