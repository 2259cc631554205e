/* logtailerctl: parse, ask, show; the exit code says how it went. */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jpath.h"
#include "base/plain.h"
#include "base/units.h"
#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/order.h"
#include "ctl/set_words.h"
#include "ctl/user_line.h"
#include "ctl/watch.h"

#define SOCKETS_ROOT      "/var/lib/logtailer"
#define WATCH_INTERVAL_US 1000000U
#define WAIT_EXTRA_US     5000000U

static void print_usage(FILE *out)
{
    (void)fputs(
        "usage: logtailerctl [OPTIONS] COMMAND [ARGUMENTS]\n"
        "\n"
        "  --socket PATH       the admin socket of a logtailerd\n"
        "  --dir DIR           its store, with the socket in it; without both $LOGTAILER_SOCKET, else the only\n"
        "                      " SOCKETS_ROOT "/*/admin.sock\n"
        "  --json              the answer as it came, for programs\n"
        "  --timeout SECONDS   how long to wait for the answer\n"
        "  --watch             status, lag: ask again and again; --interval SECONDS (1)\n"
        "  --max-seconds N     lag: check; exits 0, 1 (behind), 2 (unknown), with one line for a monitoring system\n"
        "  --max-bytes N       lag: the same, by bytes with their unit (16MiB)\n"
        "\n"
        "SET is a GTID set, also with line ends; @FILE and - (standard input) read one.\n"
        "\n",
        out);
    commands_print(out);
    (void)fputs("\nExit codes: 0 done; 1 the answer is no (NO-GO, different, time over); 2 bad usage; 3 refused by "
                "logtailerd;\n"
                "4 not reached: no logtailerd there, no permission, or no answer in time; nothing was ordered;\n"
                "5 an order went out, and what became of it is not known: outcome ID tells. See logtailerctl(1).\n",
                out);
}

/* wait-gtid waits as long as it was told to, and a little. */
static uint64_t answer_time_us(const struct arguments *args, const struct command *command)
{
    uint64_t us = 0;
    if (args->timeout_us != 0)
        return args->timeout_us;
    if (args->n_words >= 3 && strcmp(args->words[0], "wait-gtid") == 0) {
        const char *wanted = args->words[2];
        if (units_parse_duration(wanted, &us) == LT_OK)
            return us + WAIT_EXTRA_US;
        if (units_parse_u64(wanted, 1000000, &us) == LT_OK) /* bare seconds */
            return us * 1000000 + WAIT_EXTRA_US;
    }
    return (uint64_t)((command != NULL ? command->timeout_s : 5) * 1e6);
}

/* Of an order whose answer did not come. */
static void say_of_order(const struct order *order, const char *socket)
{
    if (order->state == ORDER_NOT_DONE)
        plain_print(stderr, "logtailerctl: not done: the order did not get there\n");
    else if (order->state == ORDER_UNKNOWN)
        plain_print(stderr,
                    "logtailerctl: unknown whether it was done; what is not begun by now never will be. Ask again:\n"
                    "    logtailerctl --socket %s outcome %s\n",
                    socket, order->id);
    else
        plain_print(stderr,
                    "logtailerctl: unknown whether it was done, or will be: this logtailerd takes orders without "
                    "a time. Look at status\n");
}

static const char *failure_code(const struct order *order, const struct lt_err *err)
{
    if (order != NULL && order->state != ORDER_NOT_DONE)
        return "outcome_unknown";
    return err->code == LT_ETIMEOUT ? "timeout" : "not_reached";
}

/* order: NULL for a question. */
static int say_no_answer(const struct arguments *args, const char *socket, const struct order *order,
                         const struct lt_err *err)
{
    int code = order != NULL && order->state != ORDER_NOT_DONE ? EXIT_UNKNOWN : EXIT_NOT_REACHED;
    (void)fflush(stdout);
    if (!args->json) {
        plain_print(stderr, "logtailerctl: %s\n", err->text);
        if (order != NULL)
            say_of_order(order, socket);
        return code;
    }
    json_t *answer = json_pack("{s:{s:s, s:s}}", "error", "code", failure_code(order, err), "message", err->text);
    if (code == EXIT_UNKNOWN && order->id[0] != '\0')
        lt_ignore(json_object_set_new(json_object_get(answer, "error"), "order", json_string(order->id)));
    lt_ignore(json_dumpf(answer, stdout, JSON_COMPACT));
    (void)fputc('\n', stdout);
    json_decref(answer);
    return code;
}

/* What no logtailerd would have taken is bad usage, whoever found it. */
static int refusal_code(const struct command *command, const json_t *answer)
{
    const char *code = jpath_text(answer, "error.code", "");
    if (strcmp(code, "bad_arguments") == 0 || (strcmp(code, "unknown_command") == 0 && command == NULL))
        return EXIT_BAD_USAGE;
    return strcmp(code, "outcome_unknown") == 0 ? EXIT_UNKNOWN : EXIT_REFUSED;
}

static int show_answer(const struct arguments *args, const struct command *command, const json_t *answer,
                       const char *text)
{
    bool refused = json_is_object(json_object_get(answer, "error"));
    if (args->json)
        (void)puts(text);
    else if (refused)
        show_error(stderr, args->words[0], answer);
    else
        (command != NULL ? command->show : show_any)(stdout, answer);
    if (command != NULL && command->is_no != NULL && command->is_no(answer))
        return EXIT_NO;
    return refused ? refusal_code(command, answer) : EXIT_DONE;
}

static int run_command(const struct arguments *args, const char *socket)
{
    const struct command *command = command_find(args->words[0]);
    struct client client;
    struct lt_err err = {0};
    json_t *answer = NULL;
    char *text = NULL;
    char *line = NULL;
    if (client_join_words(args->words, args->n_words, &line, &err) != LT_OK) {
        plain_print(stderr, "logtailerctl: %s\n", err.text);
        return EXIT_BAD_USAGE;
    }
    client_init(&client, socket);
    struct order order = {0};
    uint64_t time_us = answer_time_us(args, command);
    bool is_order = order_is_one(args);
    int rc = is_order ? order_give(&client, line, time_us, &order, &answer, &text, &err)
                      : client_ask(&client, line, time_us, &answer, &text, &err);
    int code = rc == LT_OK ? show_answer(args, command, answer, text)
                           : say_no_answer(args, socket, is_order ? &order : NULL, &err);
    json_decref(answer);
    free(text);
    free(line);
    client_close(&client);
    return code;
}

static int run_check(const struct arguments *args, const char *socket, const struct lt_err *no_socket)
{
    struct client client;
    struct lt_err err = *no_socket;
    json_t *answer = NULL;
    char line[900];
    client_init(&client, socket);
    int rc = err.code;
    if (rc == LT_OK)
        rc = client_ask(&client, "lag", args->timeout_us != 0 ? args->timeout_us : 5000000, &answer, NULL, &err);
    if (rc == LT_OK && json_is_object(json_object_get(answer, "error"))) /* an older daemon has no such command */
        rc = client_ask(&client, "status", args->timeout_us != 0 ? args->timeout_us : 5000000, &answer, NULL, &err);
    int verdict = (int)lag_check(&args->limits, rc == LT_OK ? answer : NULL, err.text, line, sizeof line);
    plain_print(stdout, "%s\n", line);
    json_decref(answer);
    client_close(&client);
    return verdict;
}

static int run(struct arguments *args)
{
    char socket[512];
    struct lt_err err = {0};
    bool check = args->limits.has_seconds || args->limits.has_bytes;
    int rc = arguments_socket(args, SOCKETS_ROOT, socket, sizeof socket, &err);
    if (check)
        return run_check(args, socket, &err);
    if (rc != LT_OK) {
        plain_print(stderr, "logtailerctl: %s\n", err.text);
        return EXIT_BAD_USAGE;
    }
    if (args->watch) {
        struct watch_options watch = {
            .socket = socket,
            .interval_us = args->interval_us != 0 ? args->interval_us : WATCH_INTERVAL_US,
            .timeout_us = args->timeout_us != 0 ? args->timeout_us : 3000000,
            .whole_status = strcmp(args->words[0], "status") == 0,
        };
        return watch_run(&watch);
    }
    char *set = NULL;
    if (set_words_gather(args, &set, &err) != LT_OK) {
        plain_print(stderr, "logtailerctl: %s\n", err.text);
        return EXIT_BAD_USAGE;
    }
    int code = run_command(args, socket);
    free(set);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments args;
    struct lt_err err = {0};
    (void)setlocale(LC_CTYPE, ""); // NOLINT(concurrency-mt-unsafe): one thread
    if (arguments_parse(argc, argv, &args, &err) != LT_OK) {
        plain_print(stderr, "logtailerctl: %s\n", err.text);
        (void)fputs("logtailerctl --help tells more\n", stderr);
        return EXIT_BAD_USAGE;
    }
    const struct command *asked = args.n_words > 0 ? command_find(args.words[0]) : NULL;
    if (args.help && asked != NULL) {
        (void)puts("usage: logtailerctl [OPTIONS]");
        command_print(stdout, asked);
        return EXIT_DONE;
    }
    if (args.help) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (args.version) {
        (void)puts("logtailerctl " LT_VERSION);
        return EXIT_DONE;
    }
    int code = strcmp(args.words[0], "user") == 0 ? user_line_run(&args) : run(&args);
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        (void)fputs("logtailerctl: the output could not be written\n", stderr);
        code = EXIT_NOT_REACHED;
    }
    return code;
}
