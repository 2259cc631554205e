/* The worst of all reasons decides: not acknowledging or how it was fenced, nothing stored, and what each alarm that is raised means for it. */
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

static bool is_raised(const struct failover_input *in, int code, enum alarm_effect effect)
{
    return in->alarms->list[code].raised && alarm_effect((enum alarm_code)code) == effect;
}

/* Commits return without anybody's ACK once the last acknowledger is gone, or get another's. */
static bool lets_commits_return(enum alarm_code code)
{
    return code == ALARM_TIMEOUT || code == ALARM_WAIT_NO_REPLICA || code == ALARM_FOREIGN;
}

bool failover_is_complete(const struct failover_input *in)
{
    if (in->empty || in->fence != FAILOVER_OPEN || in->uncovered != NULL || !(in->acknowledging || in->complete))
        return false;
    for (int i = 0; i < ALARM_COUNT; i++) {
        if (is_raised(in, i, ALARM_UNSAFE) || (i == ALARM_FOREIGN && in->alarms->list[i].raised))
            return false;
        if (!in->acknowledging && in->alarms->list[i].raised && lets_commits_return((enum alarm_code)i))
            return false;
    }
    return true;
}

static void judge_stream(const struct failover_input *in, struct failover *ret)
{
    if (in->acknowledging)
        return;
    if (in->complete && !in->watched)
        add(ret, FAILOVER_WEAK,
            "the source is not reached; all that was confirmed is here if nobody confirms more: fence it");
    else
        add(ret, FAILOVER_NO, "commits on the source are not acknowledged by this process now");
}

static void judge_fence(const struct failover_input *in, struct failover *ret)
{
    switch (in->fence) {
    case FAILOVER_OPEN:
        judge_stream(in, ret);
        break;
    case FAILOVER_FENCE_NOT_FINAL:
        add(ret, FAILOVER_NO, "fenced, and what is held is not final yet: repeat fence");
        break;
    case FAILOVER_FENCE_INCOMPLETE:
        add(ret, FAILOVER_NO, "fenced while it was not certain that all that was confirmed is here");
        break;
    case FAILOVER_FENCE_WEAK:
        add(ret, FAILOVER_WEAK,
            "the fence is weak: others may confirm commits that are not here; its why says how, repeat fence when that "
            "is mended");
        break;
    case FAILOVER_FENCE_WAS_WEAK:
        add(ret, FAILOVER_WEAK, "the fence was weak at first: compare with who else acknowledged then (diff)");
        break;
    case FAILOVER_FENCE_NOT_PERSISTED:
        add(ret, FAILOVER_WEAK, "the fence is not on disk: it ends with this process");
        break;
    case FAILOVER_FENCED:
        break;
    }
}

/* A fence that holds for good has answered what can be asked of the source, and this process has outlived whatever happened to it. */
static bool is_settled(const struct failover_input *in, enum alarm_code code)
{
    return in->fence == FAILOVER_FENCED && (code == ALARM_BLIND || code == ALARM_SAME_HOST);
}

void failover_judge(const struct failover_input *in, struct failover *ret)
{
    *ret = (struct failover){.answer = FAILOVER_YES};
    if (in->empty)
        add(ret, FAILOVER_NO, "the store is empty");
    judge_fence(in, ret);
    if (in->uncovered != NULL)
        add(ret, FAILOVER_NO, in->uncovered);
    if (!in->watched && in->fence != FAILOVER_FENCED)
        add(ret, FAILOVER_WEAK, "the source's time-out and wait point are not known");
    for (int i = 0; i < ALARM_COUNT; i++) {
        if (is_settled(in, (enum alarm_code)i))
            continue;
        if (is_raised(in, i, ALARM_UNSAFE))
            add(ret, FAILOVER_NO, in->alarms->list[i].message);
        else if (is_raised(in, i, ALARM_WEAKENS))
            add(ret, FAILOVER_WEAK, in->alarms->list[i].message);
    }
}
