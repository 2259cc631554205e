/* The worst of all reasons decides: not acknowledging, nothing stored, and what each alarm that is raised means for it. */
#include "ops/watch/failover.h"

const char *failover_answer_name(enum failover_answer answer)
{
    static const char *const names[] = {"yes", "weak", "no"};
    return names[answer];
}

static void add(struct failover *f, enum failover_answer answer, const char *why)
{
    if (answer > f->answer)
        f->answer = answer;
    if (f->reasons < FAILOVER_REASONS_MAX)
        f->reason[f->reasons++] = why;
}

void failover_judge(const struct failover_input *in, struct failover *ret)
{
    *ret = (struct failover){.answer = FAILOVER_YES};
    if (in->empty)
        add(ret, FAILOVER_NO, "the store is empty");
    if (in->fenced)
        add(ret, FAILOVER_NO, "fenced: no commit is acknowledged");
    else if (!in->acknowledging)
        add(ret, FAILOVER_NO, "commits on the source are not acknowledged by this process now");
    if (in->uncovered != NULL)
        add(ret, FAILOVER_NO, in->uncovered);
    if (!in->watched)
        add(ret, FAILOVER_WEAK, "the source's time-out and wait point are not known");
    for (int i = 0; i < ALARM_COUNT; i++) {
        enum alarm_effect effect = alarm_effect((enum alarm_code)i);
        if (in->alarms->list[i].raised && effect != ALARM_HARMLESS)
            add(ret, effect == ALARM_UNSAFE ? FAILOVER_NO : FAILOVER_WEAK, in->alarms->list[i].message);
    }
}
