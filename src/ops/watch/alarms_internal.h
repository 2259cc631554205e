/* What the files of the judgement share. Layer: ops/watch. Pure. */
#ifndef LT_OPS_ALARMS_INTERNAL_H
#define LT_OPS_ALARMS_INTERNAL_H

#include "ops/watch/alarms.h"

#define ALARM_HOLD_US 10000000u /* a counter that grew keeps its alarm for so long */

/* One judgement under way: what is raised in it. */
struct judgement {
    struct alarms *alarms;
    const struct alarm_input *in;
    bool raised[ALARM_COUNT];
    bool keep[ALARM_COUNT]; /* not judged this time: stays as it is */
};

void alarm_raise(struct judgement *j, enum alarm_code code, const char *fmt, ...) LT_PRINTF(3, 4);

/* alarms_source.c: what the primary's variables and status say. */
void judge_settings(struct judgement *j);
void judge_protection(struct judgement *j);
void judge_others(struct judgement *j);
void judge_certificates(struct judgement *j);
/* alarms_stream.c: what only a series shows. */
void judge_effect(struct judgement *j);
void judge_zombie(struct judgement *j);
void judge_waiting(struct judgement *j);
/* alarms_own.c: this process and its disk. */
void judge_storage(struct judgement *j);
void judge_retention(struct judgement *j);
void judge_process(struct judgement *j);

#endif
