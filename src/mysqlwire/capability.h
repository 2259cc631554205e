/*
 * Capability bits of a login and status bits of answers, as far as this layer reads or sets them.
 *
 * Layer: mysqlwire. Source: the protocol as MySQL 9.7 and MariaDB 10.11 speak it.
 */
#ifndef LT_MYSQLWIRE_CAPABILITY_H
#define LT_MYSQLWIRE_CAPABILITY_H

#define CAP_LONG_PASSWORD     0x00000001u /* MariaDB: unset, capabilities of its own follow in the greeting's filler */
#define CAP_FOUND_ROWS        0x00000002u
#define CAP_LONG_FLAG         0x00000004u
#define CAP_CONNECT_WITH_DB   0x00000008u
#define CAP_PROTOCOL_41       0x00000200u
#define CAP_TLS               0x00000800u
#define CAP_TRANSACTIONS      0x00002000u
#define CAP_SECURE_CONNECTION 0x00008000u
#define CAP_MULTI_RESULTS     0x00020000u
#define CAP_PLUGIN_AUTH       0x00080000u
#define CAP_CONNECT_ATTRS     0x00100000u
#define CAP_LENENC_AUTH       0x00200000u
#define CAP_DEPRECATE_EOF     0x01000000u

/* What a server of this layer offers; CAP_TLS is for the caller to add. No compression, no multi-statements, no local files. */
#define CAP_OFFERED                                                                                                    \
    (CAP_LONG_PASSWORD | CAP_FOUND_ROWS | CAP_LONG_FLAG | CAP_CONNECT_WITH_DB | CAP_PROTOCOL_41 | CAP_TRANSACTIONS |   \
     CAP_SECURE_CONNECTION | CAP_MULTI_RESULTS | CAP_PLUGIN_AUTH | CAP_CONNECT_ATTRS | CAP_LENENC_AUTH |               \
     CAP_DEPRECATE_EOF)

#define STATUS_AUTOCOMMIT 0x0002u

#endif
