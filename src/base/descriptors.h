/*
 * How many connections of a kind the limit of open files has room for.
 * Layer: base. Thread: any.
 */
#ifndef LT_BASE_DESCRIPTORS_H
#define LT_BASE_DESCRIPTORS_H

#include <stddef.h>

#define DESCRIPTORS_PLENTY 1024u /* from here on a kind gets all that it may have */
#define DESCRIPTORS_LEAST  4u

/* `most` where the process may open plenty of files, less in proportion below that; asked anew each time, as the limit may change. */
size_t descriptors_scaled(size_t most);

#endif
