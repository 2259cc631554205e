/* logtailerd: arguments, configuration, run. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "daemon/conf.h"
#include "daemon/conf_probe.h"
#include "daemon/daemon.h"

#define SETS_MAX 64

static const char usage[] =
    "usage: logtailerd --config FILE [--set section.key=value]... [--check]\n"
    "       logtailerd --help-config | --version | --help\n"
    "\n"
    "Streams a MySQL or MariaDB primary's binlog as a semi-synchronous replica, makes it "
    "durable, and only then acknowledges.\n"
    "\n"
    "  --config FILE            configuration file (INI)\n"
    "  --set section.key=value  override a key; may be given more than once\n"
    "  --check                  check the configuration and exit\n"
    "  --help-config            list every key with its default and meaning\n"
    "\n"
    "Exit codes: 0 orderly stop; 1 something was wrong at start that may be over soon, a restart helps;\n"
    "2 bad usage or configuration; 3 durability is in doubt.\n";

struct arguments {
    const char *config;
    const char *sets[SETS_MAX];
    size_t n_sets;
    bool check;
};

enum { OPT_CONFIG = 1, OPT_SET, OPT_CHECK, OPT_HELP_CONFIG, OPT_VERSION, OPT_HELP };

static int print_help_config(void)
{
    char *text = conf_help_text();
    if (text == NULL)
        return EXIT_USAGE;
    (void)fputs(text, stdout);
    free(text);
    return 0;
}

/* -1: go on; else the exit code. */
static int take_option(int c, struct arguments *args)
{
    switch (c) {
    case OPT_CONFIG:
        args->config = optarg;
        return -1;
    case OPT_SET:
        if (args->n_sets == SETS_MAX) {
            (void)fprintf(stderr, "logtailerd: at most %d --set\n", SETS_MAX);
            return EXIT_USAGE;
        }
        args->sets[args->n_sets++] = optarg;
        return -1;
    case OPT_CHECK:
        args->check = true;
        return -1;
    case OPT_HELP_CONFIG:
        return print_help_config();
    case OPT_VERSION:
        (void)puts("logtailerd " LT_VERSION);
        return 0;
    case OPT_HELP:
        (void)fputs(usage, stdout);
        return 0;
    default:
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
}

static int parse_arguments(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"set", required_argument, NULL, OPT_SET},
        {"check", no_argument, NULL, OPT_CHECK},
        {"help-config", no_argument, NULL, OPT_HELP_CONFIG},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) { // NOLINT(concurrency-mt-unsafe): before any thread
        int code = take_option(c, args);
        if (code >= 0)
            return code;
    }
    if (optind == argc && args->config != NULL)
        return -1;
    (void)fprintf(stderr, "logtailerd: %s\n%s", optind < argc ? "unexpected argument" : "--config is missing", usage);
    return EXIT_USAGE;
}

static int check(const struct conf *conf, const char *file)
{
    struct lt_err err = {0};
    if (conf_probe(conf, &err) != LT_OK) {
        plain_print(stderr, "logtailerd: %s\n", err.text);
        return EXIT_USAGE;
    }
    (void)printf("%s: ok\n", file);
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    struct conf conf;
    struct lt_err err = {0};
    daemon_hold_signals(true); /* one that comes before the loop can take it stops in order too */
    int code = parse_arguments(argc, argv, &args);
    if (code >= 0)
        return code;
    int rc = conf_load(&conf, args.config, args.sets, args.n_sets, &err);
    if (rc != 0) {
        plain_print(stderr, "logtailerd: %s\n", err.text);
        return daemon_exit_code(rc, &err) == EXIT_TRANSIENT ? EXIT_TRANSIENT : EXIT_USAGE;
    }
    if (args.check)
        code = check(&conf, args.config);
    else
        code = daemon_run(&conf,
                          &(struct daemon_options){.conf_path = args.config, .sets = args.sets, .n_sets = args.n_sets});
    conf_fini(&conf);
    return code < 0 ? 0 : code;
}
