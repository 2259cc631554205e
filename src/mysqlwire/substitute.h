/*
 * What a MariaDB server sends in place of its own events to a client that does not know them (@mariadb_slave_capability below 4): events of the same length,
 * so that nobody's positions move.
 *
 * Layer: mysqlwire. Pure. Thread: any. In place, whole events; the checksum is made anew where the file has them.
 * Errors: LT_EUNSUPPORTED where the event's length leaves no room for it, as servers refuse it.
 * Source: MariaDB's public protocol (Query_log_event::dummy_event, begin_event); the bytes are compared with 10.11.19 by the `same` test.
 */
#ifndef LT_MYSQLWIRE_SUBSTITUTE_H
#define LT_MYSQLWIRE_SUBSTITUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What @mariadb_slave_capability says that a client knows. */
enum mariadb_capability {
    MARIADB_KNOWS_NOTHING = 0,
    MARIADB_KNOWS_ANNOTATE = 1,
    MARIADB_KNOWS_HOLES = 2, /* events may be left out */
    MARIADB_KNOWS_CHECKPOINT = 3,
    MARIADB_KNOWS_GTID = 4,
};

enum substitute { SUBSTITUTE_NONE, SUBSTITUTE_NOTHING_SENT, SUBSTITUTE_COMMENT, SUBSTITUTE_BEGIN };

/* By the type, and of a GTID event by whether its transaction is one event alone. */
enum substitute substitute_for(uint8_t type, bool standalone, unsigned capability, bool annotate_wanted);
/* A statement that is a comment; or, where there is no room for one, a variable that nobody reads. */
int substitute_comment(uint8_t *event, size_t len, bool crc) LT_MUST_CHECK;
/* BEGIN, of a GTID event. */
int substitute_begin(uint8_t *event, size_t len, bool crc) LT_MUST_CHECK;

#endif
