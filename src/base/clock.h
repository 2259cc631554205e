/*
 * The clocks: a monotonic one for every timer and the wall clock for what people read.
 * Layer: base. Thread: any. Units: microseconds unless the name says otherwise.
 */
#ifndef LT_BASE_CLOCK_H
#define LT_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC. */
uint64_t clock_mono_us(void);
/* CLOCK_REALTIME since the epoch. */
uint64_t clock_wall_us(void);

#endif
