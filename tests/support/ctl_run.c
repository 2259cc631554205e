#include "ctl_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

int ctl_run(struct ctl_run *c, const char *words)
{
    char *command = proc_fmt("exec \"$LT_CTL\" %s %s", c->where, words);
    char *file = proc_fmt("%s/ctl.out", c->folder);
    char *argv[] = {"sh", "-c", command, NULL};
    int code = proc_run(argv, NULL, file);
    ctl_forget(c);
    c->output = proc_read_file(file, NULL);
    free(command);
    free(file);
    return code;
}

bool ctl_said(const struct ctl_run *c, const char *text)
{
    bool found = c->output != NULL && strstr(c->output, text) != NULL;
    if (!found)
        (void)fprintf(stderr, "not said: %s\nin: %s\n", text, c->output != NULL ? c->output : "(nothing)");
    return found;
}

void ctl_forget(struct ctl_run *c)
{
    free(c->output);
    c->output = NULL;
}
