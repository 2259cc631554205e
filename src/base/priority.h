/*
 * Who gets the processor first: an ACK, then everything else.
 * Since Linux 6.12 a thread that wakes takes the processor at once from one that runs with a longer time slice than its own; without that it may wait
 * for milliseconds behind work that nobody waits for. Asking for a slice needs no privilege. Older kernels know the nice value only.
 * Layer: base. Thread: each call concerns the calling thread and those that it creates later. Errors: false with errno, nothing changed.
 */
#ifndef LT_BASE_PRIORITY_H
#define LT_BASE_PRIORITY_H

#include <stdbool.h>

/* The shortest slices there are. The nice value stays. */
bool priority_first(void);
/* Long slices and this nice value (0 to 19). */
bool priority_behind(int nice_value);

#endif
