/*
 * Is the primary set up so that a confirmed commit is never lost? GO or NO-GO, with every check and why.
 * Pure: judges one picture of the monitor. Works before anything is streamed.
 *
 * Layer: ops/watch. Thread: any. Errors: none; what cannot be told is `unknown`.
 */
#ifndef LT_OPS_PREFLIGHT_H
#define LT_OPS_PREFLIGHT_H

#include "ops/watch/alarms.h"

/* fail makes NO-GO; warn and unknown are for people to read. */
enum preflight_result { PREFLIGHT_OK, PREFLIGHT_WARN, PREFLIGHT_FAIL, PREFLIGHT_UNKNOWN };

#define PREFLIGHT_MAX 24

struct preflight {
    bool go;
    unsigned count;
    struct preflight_check {
        const char *name; /* static, stable: programs may look for it */
        enum preflight_result result;
        char message[300];
    } check[PREFLIGHT_MAX];
};

const char *preflight_result_name(enum preflight_result result);
/* answered: the picture was made after the question; false: the source did not answer that soon. */
void preflight_judge(const struct alarm_input *in, bool answered, struct preflight *ret);

#endif
