/*
 * Who needs no user. Values; what they come to is for the listener that has them.
 * Layer: access. Thread: any.
 */
#ifndef LT_ACCESS_ANONYMOUS_H
#define LT_ACCESS_ANONYMOUS_H

enum anonymous {
    ANONYMOUS_AUTO, /* ANONYMOUS_LOOPBACK while nobody can have a user (no users file, and no CA where there are client certificates), else ANONYMOUS_NO */
    ANONYMOUS_NO,
    ANONYMOUS_LOOPBACK,
    ANONYMOUS_YES,
};

#endif
