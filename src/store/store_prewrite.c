/*
 * Zeros ahead of the data.
 */
#include "store/store_internal.h"

void store_idle(struct store *s)
{
    (void)s;
}
