/*
 * Small files in DIR that the layers above keep: replaced as a whole, durable when the call returns 0. What is in them is theirs.
 *
 * Layer: store. Thread: any, one at a time for each name; the calls wait for the disk.
 * Owns: DIR/reserve, blocks set aside so that a full disk does not keep a fence from being written.
 * Errors: LT_ENOTFOUND, LT_ECORRUPT (longer than max), LT_EFULL (the reserve did not help either), LT_ESYS. After a failed write the old
 *   content stays.
 */
#ifndef LT_STORE_STATE_H
#define LT_STORE_STATE_H

#include "store/store.h"

#define STORE_RESERVE_BYTES (1024u * 1024u)

/* malloc'd, with a NUL behind. */
int store_state_read(struct store *s, const char *name, size_t max, char **ret_data, size_t *ret_len,
                     struct lt_err *err) LT_MUST_CHECK;
/* On a full disk DIR/reserve is given up for it. */
int store_state_write(struct store *s, const char *name, const void *data, size_t len,
                      struct lt_err *err) LT_MUST_CHECK;
/* Make DIR/reserve where it is missing or short. */
int store_reserve_fill(struct store *s, struct lt_err *err) LT_MUST_CHECK;

#endif
