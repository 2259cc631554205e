/*
 * The id of an order that changes something, made by who gives it: "BOOT-SENT-WITHIN-RANDOM", hexadecimal. It says until when the order may be
 * begun, by the monotonic clock, which all processes of a machine share and nobody sets. BOOT tells boots apart, and so clocks.
 *
 * Layer: base. Thread: any. Units: microseconds. Errors: LT_EINVAL: no such id.
 */
#ifndef LT_BASE_ORDER_ID_H
#define LT_BASE_ORDER_ID_H

#include <stdint.h>

#include "base/err.h"

#define ORDER_ID_MAX 64 /* with the zero byte */

struct order_id {
    uint32_t boot;
    uint64_t sent_us;
    uint64_t within_us; /* after sent_us + within_us it must not be begun */
    uint32_t random;
};

/* Of this boot, sent now. */
void order_id_make(uint64_t within_us, char ret[ORDER_ID_MAX]);
int order_id_parse(const char *text, struct order_id *ret) LT_MUST_CHECK;
uint64_t order_id_deadline_us(const struct order_id *id);
/* 0: the kernel does not tell. */
uint32_t order_id_boot(void);

#endif
