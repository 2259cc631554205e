/*
 * A TCP proxy between a client and a primary that can lose, delay, cut, split and change what passes.
 * It does not speak the MySQL protocol beyond packet borders, and sees nothing inside TLS.
 *
 * Layer: tests/support. Thread: any may call; the proxy has a thread to accept and two per connection.
 * Owns: its listener on 127.0.0.1, the connections, a record of the first 8 MiB each client sent.
 * Controls hold for all connections, those to come included, until they are changed.
 * Units: milliseconds, bytes.
 */
#ifndef LT_SUPPORT_PROXY_H
#define LT_SUPPORT_PROXY_H

#include "proc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;

enum proxy_direction { PROXY_TO_SERVER, PROXY_TO_CLIENT };
enum proxy_cut { PROXY_CUT_FIN, PROXY_CUT_RST };
enum proxy_accept {
    PROXY_ACCEPT,
    PROXY_HANG,  /* the kernel completes the handshake, nobody answers */
    PROXY_REFUSE /* accepted and reset at once */
};

/* Forwards to 127.0.0.1:upstream_port. */
struct proxy *proxy_start(uint16_t upstream_port);
/* Cuts what is open. NULL is fine. */
void proxy_free(struct proxy *px);
uint16_t proxy_port(const struct proxy *px);

/* Bytes of this direction are read and thrown away: a lost ACK with PROXY_TO_SERVER. */
void proxy_drop(struct proxy *px, enum proxy_direction dir, bool on);
/* Nothing of this direction is read, the end of the connection neither: both directions paused is a half-open peer. */
void proxy_pause(struct proxy *px, enum proxy_direction dir, bool on);
/* Each piece waits so long before it goes on. */
void proxy_delay(struct proxy *px, enum proxy_direction dir, unsigned delay_ms);
/* Write at most so many bytes at a time (0: as they come). */
void proxy_split(struct proxy *px, size_t bytes);
void proxy_set_accept(struct proxy *px, enum proxy_accept mode);
/* So many connections yet, then as with PROXY_REFUSE; negative: any number. */
void proxy_accept_more(struct proxy *px, long n);
/* End all open connections, on both sides. Returns when they are closed. */
void proxy_cut(struct proxy *px, enum proxy_cut how);
/* Turn one bit of the byte at this offset of what the server sends, once, in the first connection that reaches it. */
void proxy_corrupt_at(struct proxy *px, uint64_t offset);
/* Turn one bit of the last byte of this text where the server sends it; so many times (each on its own pass). */
void proxy_corrupt_text(struct proxy *px, const char *text, unsigned times);
/* Once, turn the bits of the mask in the byte so far behind the end of this text; past the end of what came with it, counted on from that
 * piece's beginning: so any byte near it may be meant, packet headers too. */
void proxy_corrupt_near(struct proxy *px, const char *text, size_t distance, unsigned char mask);
/* Take CLIENT_SSL out of greetings, as an attacker who wants clear text would. */
void proxy_strip_tls(struct proxy *px, bool on);

/* ---- what was seen ---- */
size_t proxy_connections(struct proxy *px);
size_t proxy_open_connections(struct proxy *px);
/* Bytes that clients sent, in all connections. */
uint64_t proxy_client_bytes(struct proxy *px);
/* What the client of connection n (from 0) sent. The caller frees. */
unsigned char *proxy_recorded(struct proxy *px, size_t n, size_t *ret_len);
/* Any connection that sent COM_QUIT after a dump command (plain connections only). */
bool proxy_saw_quit_after_dump(struct proxy *px);
/* Dump commands and ACK packets in all connections (plain connections only). */
size_t proxy_dumps_seen(struct proxy *px);
size_t proxy_acks_seen(struct proxy *px);
/* True when any client sent this text. */
bool proxy_client_sent(struct proxy *px, const char *text);

#endif
