/*
 * Events that a server makes up for whom it streams to, and that are in no file: where a file begins, the format of a file that is entered in its middle,
 * signs of life, and MariaDB's word on where a GTID subscription stands.
 *
 *   what                    time  flags  log_pos                 CRC32
 *   Rotate                  0     0x20   0                       where the client asked for it
 *   format description      -     -      0, and created is 0     as the file has it
 *   heartbeat, heartbeat 2  0     0      where the stream stands as the file has it
 *   list of GTIDs           0     0x20   where the stream stands as the file has it
 *
 * Events of a file are never changed otherwise: with @source_binlog_checksum = 'NONE' real servers leave the CRC out of the first Rotate only.
 *
 * Layer: mysqlwire. Pure. Thread: any. Units: whole events, without a packet's bytes.
 * Errors: LT_ETOOBIG where the buffer is too small; LT_EPROTO for what is no format description.
 * Source: captured from MySQL 9.7.4 and MariaDB 10.11.19, byte by byte the vectors of tests/unit/mysqlwire/test_made_up.c.
 */
#ifndef LT_MYSQLWIRE_MADE_UP_H
#define LT_MYSQLWIRE_MADE_UP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct made_up {
    uint32_t server_id; /* of who makes it up */
    bool crc;
};

int made_up_rotate(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap,
                   size_t *ret_len) LT_MUST_CHECK;
/* The first form has 32 bits for the position: what is past them is cut, as servers do. */
int made_up_heartbeat(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap,
                      size_t *ret_len) LT_MUST_CHECK;
/* For who set COMMAND_DUMP_HEARTBEAT_V2; MySQL only. */
int made_up_heartbeat_v2(const struct made_up *m, const char *file, uint64_t pos, uint8_t *out, size_t cap,
                         size_t *ret_len) LT_MUST_CHECK;

struct made_up_gtid {
    uint32_t domain;
    uint32_t server;
    uint64_t seq;
};

/* MariaDB: all before `pos` is held already; or, where until is set, the place that was asked for is reached. */
int made_up_gtid_list(const struct made_up *m, const struct made_up_gtid *list, size_t count, bool until, uint64_t pos,
                      uint8_t *out, size_t cap, size_t *ret_len) LT_MUST_CHECK;

/* In place: the stream begins behind it. */
int made_up_format(uint8_t *event, size_t len) LT_MUST_CHECK;

#endif
