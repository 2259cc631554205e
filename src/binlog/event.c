#include "binlog/event.h"

#include <string.h>

#include "base/cursor.h"
#include "binlog/crc32.h"
#include "binlog/event_body.h"

#define OFF_TYPE      4
#define OFF_SERVER_ID 5
#define OFF_LENGTH    9
#define OFF_LOG_POS   13
#define OFF_FLAGS     17

const uint8_t binlog_magic[BINLOG_MAGIC_LEN] = {0xfe, 'b', 'i', 'n'};

static const char *const type_names[256] = {
    [EVENT_QUERY] = "Query",
    [EVENT_STOP] = "Stop",
    [EVENT_ROTATE] = "Rotate",
    [EVENT_INTVAR] = "Intvar",
    [EVENT_APPEND_BLOCK] = "Append_block",
    [EVENT_DELETE_FILE] = "Delete_file",
    [EVENT_RAND] = "Rand",
    [EVENT_USER_VAR] = "User_var",
    [EVENT_FORMAT_DESCRIPTION] = "Format_description",
    [EVENT_XID] = "Xid",
    [EVENT_BEGIN_LOAD_QUERY] = "Begin_load_query",
    [EVENT_EXECUTE_LOAD_QUERY] = "Execute_load_query",
    [EVENT_TABLE_MAP] = "Table_map",
    [EVENT_WRITE_ROWS_V1] = "Write_rows_v1",
    [EVENT_UPDATE_ROWS_V1] = "Update_rows_v1",
    [EVENT_DELETE_ROWS_V1] = "Delete_rows_v1",
    [EVENT_INCIDENT] = "Incident",
    [EVENT_HEARTBEAT] = "Heartbeat",
    [EVENT_IGNORABLE] = "Ignorable",
    [EVENT_ROWS_QUERY] = "Rows_query",
    [EVENT_WRITE_ROWS] = "Write_rows",
    [EVENT_UPDATE_ROWS] = "Update_rows",
    [EVENT_DELETE_ROWS] = "Delete_rows",
    [EVENT_GTID] = "Gtid",
    [EVENT_ANONYMOUS_GTID] = "Anonymous_gtid",
    [EVENT_PREVIOUS_GTIDS] = "Previous_gtids",
    [EVENT_TRANSACTION_CONTEXT] = "Transaction_context",
    [EVENT_VIEW_CHANGE] = "View_change",
    [EVENT_XA_PREPARE] = "XA_prepare",
    [EVENT_PARTIAL_UPDATE_ROWS] = "Partial_update_rows",
    [EVENT_TRANSACTION_PAYLOAD] = "Transaction_payload",
    [EVENT_HEARTBEAT_V2] = "Heartbeat_v2",
    [EVENT_GTID_TAGGED] = "Gtid_tagged",
    [EVENT_MARIADB_ANNOTATE_ROWS] = "Annotate_rows",
    [EVENT_MARIADB_BINLOG_CHECKPOINT] = "Binlog_checkpoint",
    [EVENT_MARIADB_GTID] = "Gtid",
    [EVENT_MARIADB_GTID_LIST] = "Gtid_list",
    [EVENT_MARIADB_START_ENCRYPTION] = "Start_encryption",
    [EVENT_MARIADB_QUERY_COMPRESSED] = "Query_compressed",
    [EVENT_MARIADB_WRITE_ROWS_COMPRESSED_V1] = "Write_rows_compressed_v1",
    [EVENT_MARIADB_UPDATE_ROWS_COMPRESSED_V1] = "Update_rows_compressed_v1",
    [EVENT_MARIADB_DELETE_ROWS_COMPRESSED_V1] = "Delete_rows_compressed_v1",
    [EVENT_MARIADB_WRITE_ROWS_COMPRESSED] = "Write_rows_compressed",
    [EVENT_MARIADB_UPDATE_ROWS_COMPRESSED] = "Update_rows_compressed",
    [EVENT_MARIADB_DELETE_ROWS_COMPRESSED] = "Delete_rows_compressed",
};

const char *event_type_name(uint8_t type)
{
    const char *name = type_names[type];
    return name != NULL ? name : "Unknown";
}

bool event_is_gtid_list(uint8_t type)
{
    return type == EVENT_PREVIOUS_GTIDS || type == EVENT_MARIADB_GTID_LIST;
}

uint32_t event_length_max(uint8_t type)
{
    switch (type) {
    case EVENT_FORMAT_DESCRIPTION:
    case EVENT_ROTATE:
    case EVENT_STOP:
    case EVENT_HEARTBEAT:
    case EVENT_HEARTBEAT_V2:
    case EVENT_GTID:
    case EVENT_ANONYMOUS_GTID:
    case EVENT_GTID_TAGGED:
    case EVENT_MARIADB_GTID:
        return EVENT_WHOLE_MAX;
    case EVENT_MARIADB_START_ENCRYPTION:
        return EVENT_START_ENCRYPTION_MAX;
    case EVENT_PREVIOUS_GTIDS:
    case EVENT_MARIADB_GTID_LIST:
        return EVENT_LIST_MAX;
    default:
        return EVENT_LENGTH_MAX;
    }
}

int event_header_parse(const uint8_t *data, size_t len, struct event_header *ret)
{
    if (len < EVENT_HEADER_LEN)
        return LT_ESHORT;
    uint32_t length = load_u32(data + OFF_LENGTH);
    if (length < EVENT_HEADER_LEN || length > EVENT_LENGTH_MAX)
        return LT_EPROTO;
    ret->timestamp = load_u32(data);
    ret->type = data[OFF_TYPE];
    ret->server_id = load_u32(data + OFF_SERVER_ID);
    ret->length = length;
    ret->log_pos = load_u32(data + OFF_LOG_POS);
    ret->flags = load_u16(data + OFF_FLAGS);
    return 0;
}

int event_body(const uint8_t *event, size_t len, bool crc, struct event_header *ret_h, struct cursor *ret_body)
{
    struct event_header h;
    int rc = event_header_parse(event, len, &h);
    if (rc != 0)
        return rc;
    if (h.length > len)
        return LT_ESHORT;
    if (h.length != len)
        return LT_EPROTO;
    size_t tail = crc ? EVENT_CRC_LEN : 0;
    if (len < EVENT_HEADER_LEN + tail)
        return LT_ESHORT;
    *ret_h = h;
    *ret_body = cursor_on(event + EVENT_HEADER_LEN, len - EVENT_HEADER_LEN - tail);
    return 0;
}

/*
 * Every server flags the Rotate that it makes up. One without the flag counts as made up where it has no place and no time either, as a server in
 * between may send it; but for a place whose low 32 bits are 0.
 */
static bool is_artificial_rotate(const struct event_header *h, uint64_t offset)
{
    return h->log_pos == 0 && h->timestamp == 0 && (offset == 0 || (uint32_t)(offset + h->length) != 0);
}

bool event_is_artificial(const struct event_header *h, uint64_t offset)
{
    if (h->flags & EVENT_FLAG_ARTIFICIAL)
        return true;
    switch (h->type) {
    case EVENT_HEARTBEAT:
    case EVENT_HEARTBEAT_V2:
        return true;
    case EVENT_ROTATE:
        return is_artificial_rotate(h, offset);
    /* Sent again on a start in the middle of a file. Position 0 alone says nothing: MariaDB 11.4+ has it in real events. */
    case EVENT_FORMAT_DESCRIPTION:
    case EVENT_MARIADB_START_ENCRYPTION:
        return h->log_pos == 0;
    default:
        return false;
    }
}

/* An open file's FDE is marked in use, but its checksum is that of the unmarked one. */
static uint32_t compute_crc(const uint8_t *event, size_t len)
{
    if (event[OFF_TYPE] != EVENT_FORMAT_DESCRIPTION || !(event[OFF_FLAGS] & EVENT_FLAG_IN_USE))
        return crc32_update(0, event, len);
    uint8_t header[EVENT_HEADER_LEN];
    memcpy(header, event, sizeof header);
    header[OFF_FLAGS] &= (uint8_t)~EVENT_FLAG_IN_USE;
    uint32_t crc = crc32_update(0, header, sizeof header);
    return crc32_update(crc, event + EVENT_HEADER_LEN, len - EVENT_HEADER_LEN);
}

bool event_crc_ok(const uint8_t *event, size_t len)
{
    if (len < EVENT_HEADER_LEN + EVENT_CRC_LEN)
        return false;
    size_t body_end = len - EVENT_CRC_LEN;
    return compute_crc(event, body_end) == load_u32(event + body_end);
}

void event_crc_set(uint8_t *event, size_t len)
{
    if (len < EVENT_HEADER_LEN + EVENT_CRC_LEN)
        return;
    size_t body_end = len - EVENT_CRC_LEN;
    store_u32(event + body_end, compute_crc(event, body_end));
}

void event_make_encryption_stand_in(uint8_t *event, size_t len, bool crc)
{
    if (len < EVENT_HEADER_LEN)
        return;
    event[OFF_TYPE] = EVENT_IGNORABLE;
    store_u16(event + OFF_FLAGS, (uint16_t)(load_u16(event + OFF_FLAGS) | EVENT_FLAG_IGNORABLE));
    if (crc)
        event_crc_set(event, len);
}
