/*
 * Answers of a daemon of any version, or of something that is none, through everything that reads them: logtailerctl's tables and checks, the
 * metrics, readiness. None may crash, and what goes to a terminal holds no control characters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl/commands.h"
#include "ctl/history.h"
#include "ctl/lag_check.h"
#include "ops/http/metrics.h"
#include "ops/http/ready.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)text[i];
        if ((ch < 0x20 && ch != '\n') || ch == 0x7f)
            abort();
    }
}

static void show(const struct command *command, const json_t *answer)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL)
        abort();
    command->show(out, answer);
    show_error(out, command->name, answer);
    if (fclose(out) != 0)
        abort();
    check_text(text, len);
    free(text);
    if (command->is_no != NULL)
        (void)command->is_no(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct history history;
    const struct lag_limits limits = {.has_seconds = true, .max_seconds = 1, .has_bytes = true, .max_bytes = 1};
    char line[900];
    json_t *answer = json_loadb((const char *)data, size, 0, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        return 0;
    }
    for (size_t i = 0; i < n_commands; i++)
        show(&commands[i], answer);
    (void)lag_check(&limits, answer, "", line, sizeof line);
    check_text(line, strlen(line));
    history_add(&history, answer, answer, history.last_us + 1000);
    (void)ready_judge(answer, line, sizeof line);
    char *text = metrics_text(answer, answer);
    if (text == NULL)
        abort();
    free(text);
    json_decref(answer);
    return 0;
}
