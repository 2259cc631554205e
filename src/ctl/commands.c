#include "ctl/commands.h"

#include <string.h>

#include "base/jpath.h"

/* logtailerd promises its answers within 2 s. */
#define QUICK 5.0
/* It asks the primary or waits for a condition. */
#define SLOW 120.0

static bool is_no_go(const json_t *answer)
{
    return jpath(answer, "error") == NULL && strcmp(jpath_text(answer, "verdict", ""), "GO") != 0;
}

static bool has_timed_out(const json_t *answer)
{
    return strcmp(jpath_text(answer, "error.code", ""), "timeout") == 0;
}

static bool differs(const json_t *answer)
{
    return jpath_text(answer, "only_here", "")[0] != '\0' || jpath_text(answer, "only_there", "")[0] != '\0';
}

const struct command commands[] = {
    {"status", "", "everything at a glance; with --watch a screen that refreshes", QUICK, show_status, NULL, true},
    {"lag", "", "the three lags; with --max-seconds or --max-bytes a monitoring check", QUICK, show_lag, NULL, true},
    {"position", "", "the durable end: file, offset, executed GTIDs, last transaction", QUICK, show_any, NULL, true},
    {"consumers", "[end NAME|ADDRESS:PORT | forget NAME]",
     "who reads, from where, how far behind; end a connection; forget a named one that is away", 15, show_any, NULL,
     false},
    {"replicas", "[end ADDRESS:PORT|SERVER-ID|UUID]",
     "who replicates by MySQL's own protocol, how far behind; end a connection", 15, show_replicas, NULL, false},
    {"segments", "", "the files of the store", QUICK, show_any, NULL, true},
    {"latency", "", "how long ACKs and syncs took since the start", QUICK, show_latency, NULL, true},
    {"config", "", "the configuration in force", QUICK, show_config, NULL, true},
    {"fence", "[--epoch N] [--mode auto|drop|hold] REASON",
     "no acknowledgement leaves for this source any more, across restarts, until unfence", QUICK, show_fence, NULL,
     false},
    {"unfence", "[--epoch N] [SOURCE-ID]", "release a fenced source (the last one)", QUICK, show_any, NULL, false},
    {"repoint", "[--epoch N] HOST:PORT [--new-history] [--dry-run]", "prove another primary and follow it from now on",
     SLOW, show_repoint, NULL, false},
    {"preflight", "", "does this primary protect? GO or NO-GO with every reason", 15, show_preflight, is_no_go, true},
    {"drain", "[--force]", "planned stop; refused where the primary would be left short of acknowledgers", SLOW,
     show_any, NULL, false},
    {"wait-gtid", "SET TIMEOUT", "until the set is durable, or the time (30s) is over", SLOW, show_any, has_timed_out,
     true},
    {"diff", "SET", "what we have and they have not, and the reverse", QUICK, show_any, differs, true},
    {"purge", "FILE [--dry-run]", "remove the segments before FILE that nobody needs", SLOW, show_any, NULL, false},
    {"reload", "", "read the configuration anew; a bad file changes nothing", QUICK, show_any, NULL, false},
    {"log", "LEVEL", "error, warn, notice, info or debug, until the next start or reload", QUICK, show_any, NULL,
     false},
    {"stop", "", "stop in order", QUICK, show_any, NULL, false},
    {"outcome", "ID", "what became of an order whose answer was lost", QUICK, show_any, NULL, true},
    {"user", "NAME [--replica] [--generate]",
     "the line of a users file for a secret from standard input, or a random one; --replica: for replicas.users_file; "
     "no logtailerd is asked",
     QUICK, show_any, NULL, true},
    {"help", "", "what the running logtailerd knows", QUICK, show_any, NULL, true},
};

const size_t n_commands = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

void command_print(FILE *out, const struct command *command)
{
    (void)fprintf(out, "  %s%s%s\n        %s\n", command->name, command->arguments[0] != '\0' ? " " : "",
                  command->arguments, command->help);
}

void commands_print(FILE *out)
{
    for (size_t i = 0; i < n_commands; i++)
        command_print(out, &commands[i]);
}
