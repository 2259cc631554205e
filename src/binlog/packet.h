/*
 * MySQL packets on a dump connection: framing, splits at 16 MiB, the semi-sync header, ERR and EOF, and the packets we send.
 *
 * Layer: binlog. Pure: no I/O, no clock, no allocation. Thread: any.
 * Borrows: spans point into the caller's buffer and live as long as it does.
 * Errors: LT_EPROTO for what no server sends. Source of the facts: dump and semi-sync packets as MySQL 9.7 and MariaDB 10.11 send them.
 *
 *   physical packet:  len:3 | seq:1 | payload[len];  len == 0xffffff means that the next physical packet continues this one.
 *   logical payload:  00 [ef flag] event...   |   ff code:2 '#' state:5 text   |   fe (shorter than 9)
 */
#ifndef LT_BINLOG_PACKET_H
#define LT_BINLOG_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PACKET_HEADER_LEN 4
#define PACKET_MAX_PART   0xffffffu
/* 00 [ef flag] before the event in the first physical part. */
#define PACKET_SEMI_SYNC_MAGIC 0xef
#define PACKET_ACK_NAME_MAX    512

/* Position in the sequence of logical packets. Zero-initialised is the start. */
struct packet_framer {
    uint32_t part_left; /* payload bytes of the current physical part not yet handed out */
    uint32_t part_len;  /* all payload bytes of the current physical part */
    bool in_part;       /* a physical header was consumed and part_left counts down */
    bool more_parts;    /* the current physical part is 0xffffff long: another follows */
    bool first;         /* nothing of the current logical packet was handed out yet */
    bool started;       /* inside a logical packet */
    uint8_t seq;        /* sequence number of the last physical header */
};

/* A piece of one logical packet's payload. len may be 0 only together with last (the empty part after an exact multiple). */
struct packet_span {
    const uint8_t *data;
    size_t len;
    bool first;
    bool last;
    uint8_t seq;
    uint32_t part_len; /* length of the physical part the span lies in */
};

/*
 * Take the next span from buf[0..len). A physical part of at most whole_max payload bytes is handed out only when all of it is
 * there; longer ones are handed out piecewise, at least min(part, whole_max) bytes in the first piece of a part.
 * Returns 0 and the span and the bytes used (header included), or LT_EAGAIN when more input is needed (*ret_used is 0 then). No span lies in
 * two parts. LT_EPROTO for an empty logical packet.
 */
int packet_next(struct packet_framer *f, const uint8_t *buf, size_t len, size_t whole_max, struct packet_span *ret_span,
                size_t *ret_used) LT_MUST_CHECK;

enum packet_kind { PACKET_EVENT, PACKET_ERR, PACKET_EOF };

/* What a logical packet's first span says. err_* are set for PACKET_ERR; text is cut to the buffer and stripped of control bytes. */
struct packet_first {
    enum packet_kind kind;
    size_t prefix_len; /* bytes before the event: 1 or 3 */
    bool ack_wanted;
    uint16_t err_code;
    char err_state[6];
    char err_text[256];
};

/* Whether packets of a connection carry the 2-byte semi-sync header. */
enum semi_sync_header { SEMI_SYNC_HEADER_UNKNOWN, SEMI_SYNC_HEADER_ABSENT, SEMI_SYNC_HEADER_PRESENT };

/*
 * Decide from the first event packet of a connection (always an artificial Rotate, whole in one part): by its length, which must
 * equal the event's own length field plus 1 or plus 3, never by a byte's value alone. LT_EPROTO when neither fits.
 */
int packet_detect_semi_sync(const uint8_t *payload, size_t len, enum semi_sync_header *ret_header) LT_MUST_CHECK;

/* Classify a logical packet from its first span (first && data). header must not be UNKNOWN for events. */
int packet_parse_first(const uint8_t *payload, size_t len, bool whole, enum semi_sync_header header,
                       struct packet_first *ret) LT_MUST_CHECK;

/* Packets we send; each writes a whole packet with header and returns its length, or LT_ETOOBIG / LT_EINVAL. seq is 0. */
int packet_write_ack(uint8_t *out, size_t cap, const char *file, uint64_t pos, size_t *ret_len) LT_MUST_CHECK;
int packet_write_register(uint8_t *out, size_t cap, uint32_t server_id, const char *host, uint16_t port,
                          size_t *ret_len) LT_MUST_CHECK;
/* pos is 32-bit on this command: LT_EINVAL past 4 GiB - 1. */
int packet_write_dump(uint8_t *out, size_t cap, const char *file, uint64_t pos, uint16_t flags, uint32_t server_id,
                      size_t *ret_len) LT_MUST_CHECK;
/* MySQL only, GTID_MODE=ON. gtid_set is the encoded set (8 zero bytes when empty). */
int packet_write_dump_gtid(uint8_t *out, size_t cap, const char *file, uint64_t pos, uint16_t flags, uint32_t server_id,
                           const uint8_t *gtid_set, size_t gtid_set_len, size_t *ret_len) LT_MUST_CHECK;

/* Greeting of a server (protocol 10), as far as a client must look before it sends credentials. */
struct packet_greeting {
    char version[64];
    uint32_t thread_id;
    uint32_t capabilities;
    bool is_mariadb;
};
#define PACKET_CLIENT_SSL 0x800u
/* payload without the 4-byte header. An ERR packet gives LT_EPROTO with err_code set in *ret_err_code. */
int packet_parse_greeting(const uint8_t *payload, size_t len, struct packet_greeting *ret,
                          uint16_t *ret_err_code) LT_MUST_CHECK;

#endif
