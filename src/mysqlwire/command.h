/*
 * Commands of a client after its login. Payloads only, without the 4 bytes in front.
 *
 * Layer: mysqlwire. Pure. Thread: any. Borrows: spans point into the payload.
 * Errors: LT_EPROTO for a payload that is too short for its command.
 */
#ifndef LT_MYSQLWIRE_COMMAND_H
#define LT_MYSQLWIRE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum command_code {
    COMMAND_QUIT = 0x01,
    COMMAND_INIT_DB = 0x02,
    COMMAND_QUERY = 0x03,
    COMMAND_FIELD_LIST = 0x04,
    COMMAND_STATISTICS = 0x09,
    COMMAND_PROCESS_KILL = 0x0c,
    COMMAND_PING = 0x0e,
    COMMAND_CHANGE_USER = 0x11,
    COMMAND_BINLOG_DUMP = 0x12,
    COMMAND_REGISTER_REPLICA = 0x15,
    COMMAND_PREPARE = 0x16,
    COMMAND_EXECUTE = 0x17,
    COMMAND_LONG_DATA = 0x18,       /* has no answer */
    COMMAND_CLOSE_STATEMENT = 0x19, /* has no answer */
    COMMAND_RESET_STATEMENT = 0x1a,
    COMMAND_SET_OPTION = 0x1b,
    COMMAND_FETCH = 0x1c,
    COMMAND_BINLOG_DUMP_GTID = 0x1e,
    COMMAND_RESET_CONNECTION = 0x1f,
};

/* What a client wants to be told when nothing more is there. */
#define COMMAND_DUMP_NON_BLOCK     0x0001u
#define COMMAND_DUMP_HEARTBEAT_V2  0x0002u /* MySQL */
#define COMMAND_DUMP_ANNOTATE_ROWS 0x0002u /* MariaDB */
#define COMMAND_BINLOG_NAME_MAX    512

struct command_dump {
    bool by_gtid;
    uint32_t server_id;
    uint16_t flags;
    uint64_t pos;
    char file[COMMAND_BINLOG_NAME_MAX + 1]; /* "": the oldest, or by GTID */
    const uint8_t *gtid_set;                /* encoded, of COM_BINLOG_DUMP_GTID; parsed by binlog/gtid.h */
    size_t gtid_set_len;
};

/* Either command, behind its byte. */
int command_parse_dump(const uint8_t *payload, size_t len, struct command_dump *ret) LT_MUST_CHECK;
int command_parse_dump_gtid(const uint8_t *payload, size_t len, struct command_dump *ret) LT_MUST_CHECK;

struct command_replica {
    uint32_t server_id;
    uint32_t source_id;
    uint16_t port;
    char host[256];
    char user[256];
};

/* The password that may come with it is not kept. */
int command_parse_register(const uint8_t *payload, size_t len, struct command_replica *ret) LT_MUST_CHECK;

#endif
