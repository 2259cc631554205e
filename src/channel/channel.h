/*
 * One client's socket, with or without TLS: reads and writes that never wait, and stored bytes straight from the page cache.
 *
 * Layer: channel. Thread: the session's. Owns: the descriptor and the SSL object, from channel_open to channel_close.
 * Errors: LT_EAGAIN (wait for the socket), LT_EOS (the peer closed in order), LT_ECLOSED (broken; text in err), LT_ECORRUPT / LT_ESYS for the file.
 * Units: bytes.
 */
#ifndef LT_CHANNEL_CHANNEL_H
#define LT_CHANNEL_CHANNEL_H

#include <openssl/ssl.h>
#include <sys/uio.h>

#include "feed/files.h"

#define CHANNEL_TLS_CHUNK 16384u /* one TLS record */

struct channel {
    int fd;
    SSL *ssl;         /* NULL: none */
    bool wants_write; /* the last call wants the socket writable, whatever it was */
};

/* Non-blocking, no delay, keep-alive, unacknowledged bytes give up after user_timeout_us. */
int channel_open(struct channel *ch, int fd, uint64_t user_timeout_us, struct lt_err *err) LT_MUST_CHECK;
/* reset: throw away what was not sent. */
void channel_close(struct channel *ch, bool reset);
/* Nothing more comes from us. */
void channel_finish(struct channel *ch);
/* The first byte the peer sent, left in the socket. LT_EAGAIN, LT_EOS. */
int channel_peek(struct channel *ch, uint8_t *ret, struct lt_err *err) LT_MUST_CHECK;
int channel_start_tls(struct channel *ch, SSL_CTX *ctx, struct lt_err *err) LT_MUST_CHECK;
int channel_handshake(struct channel *ch, struct lt_err *err) LT_MUST_CHECK;
int channel_read(struct channel *ch, void *buf, size_t cap, size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;
/* a then b, as far as they go in one call; more: something follows at once. */
int channel_write(struct channel *ch, const struct iovec *iov, int n, bool more, size_t *ret_len,
                  struct lt_err *err) LT_MUST_CHECK;
/* scratch: CHANNEL_TLS_CHUNK bytes. After LT_EAGAIN the same place must be tried again. */
int channel_send_file(struct channel *ch, struct feed_file *f, uint64_t off, uint64_t len, uint8_t *scratch,
                      size_t *ret_len, struct lt_err *err) LT_MUST_CHECK;

#endif
