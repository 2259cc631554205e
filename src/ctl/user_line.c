/*
 * - The secret: 24 random bytes in hexadecimal, else one line of standard input; of a terminal without echo, and twice.
 * - The line, as access/users.c makes it, is all that goes to standard output: it can be appended to the file as it comes.
 * Failure: nothing is printed on standard output. A signal at the terminal's question gives the echo back first.
 */
#include "ctl/user_line.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "access/replica_users.h"
#include "access/users.h"
#include "base/file_text.h"
#include "base/plain.h"
#include "ctl/commands.h"
#include "ctl/table.h"

#define MADE_BYTES  24
#define SHORT_BYTES 16
#define INPUT_MAX   (USERS_NEW_SECRET_MAX + 2u) /* with a line end */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* A line of the terminal, unless one of the signals comes first: they are blocked but for the wait, so that none is overlooked before it. */
static ssize_t wait_and_read(const char *question, char *line, size_t cap, const sigset_t *outside)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    (void)fputs(question, stderr);
    (void)fflush(stderr);
    return ppoll(&in, 1, NULL, outside) == 1 ? read(STDIN_FILENO, line, cap) : -1;
}

static ssize_t read_hidden(const char *question, char *line, size_t cap, const struct termios *shown,
                           const sigset_t *outside)
{
    struct termios hidden = *shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL | ICANON;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) != 0)
        return -1;
    ssize_t n = wait_and_read(question, line, cap, outside);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, shown);
    return n;
}

/* One line without echo, without its line end. */
static int ask(const char *question, char *line, size_t cap, struct lt_err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP};
    enum { N = sizeof signals / sizeof signals[0] };
    struct sigaction before[N];
    struct sigaction noticed = {.sa_handler = on_signal};
    struct termios shown;
    sigset_t held;
    sigset_t outside;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return lt_err_sys(err, LT_ESYS, "the terminal");
    interrupted = 0;
    (void)sigemptyset(&held);
    for (size_t i = 0; i < N; i++)
        (void)sigaddset(&held, signals[i]);
    (void)sigprocmask(SIG_BLOCK, &held, &outside); // NOLINT(concurrency-mt-unsafe): one thread
    for (size_t i = 0; i < N; i++)
        (void)sigaction(signals[i], &noticed, &before[i]);
    ssize_t n = read_hidden(question, line, cap - 1, &shown, &outside);
    for (size_t i = 0; i < N; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    if (interrupted != 0) {
        (void)fputc('\n', stderr);
        (void)raise(interrupted); /* taken with its own meaning, as soon as it is not blocked */
    }
    (void)sigprocmask(SIG_SETMASK, &outside, NULL); // NOLINT(concurrency-mt-unsafe): one thread
    if (n <= 0)
        return lt_err_set(err, LT_EINVAL, "no secret was typed");
    line[n] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    return LT_OK;
}

static int typed(char *secret, size_t cap, struct lt_err *err)
{
    char again[INPUT_MAX + 1];
    int rc = ask("secret: ", secret, cap, err);
    if (rc == LT_OK)
        rc = ask("again:  ", again, sizeof again, err);
    if (rc == LT_OK && strcmp(secret, again) != 0)
        rc = lt_err_set(err, LT_EINVAL, "the two differ");
    explicit_bzero(again, sizeof again);
    return rc;
}

static int read_in(char *secret, size_t cap, struct lt_err *err)
{
    char *text = NULL;
    int rc = file_text_read("-", INPUT_MAX, &text, err);
    if (rc != LT_OK)
        return rc;
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    if (len > 0 && text[len - 1] == '\r')
        text[--len] = '\0';
    if (len < cap)
        memcpy(secret, text, len + 1);
    else
        rc = lt_err_set(err, LT_EINVAL, "a secret has 1 to %d bytes", USERS_NEW_SECRET_MAX);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

static int make_up(char *secret, size_t cap, struct lt_err *err)
{
    unsigned char random[MADE_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return lt_err_sys(err, LT_ESYS, "a random secret");
    for (size_t i = 0; i < MADE_BYTES && 2 * i + 3 <= cap; i++)
        (void)snprintf(secret + 2 * i, 3, "%02x", random[i]);
    explicit_bzero(random, sizeof random);
    return LT_OK;
}

/* A whole token where its second part was asked for: nobody could ever log in with it. */
static bool is_token(const char *user, const char *secret)
{
    size_t len = strlen(user);
    return strncmp(secret, user, len) == 0 && secret[len] == ':';
}

struct wish {
    const char *user;
    bool made;    /* the secret is made up here */
    bool replica; /* MySQL's own protocol: the secret is a password */
};

static void show(const struct arguments *args, const struct wish *w, const char *line, const char *secret)
{
    const char *kind = w->replica ? "password" : "token";
    char *whole = NULL;
    if (w->made && asprintf(&whole, "%s%s%s", w->replica ? "" : w->user, w->replica ? "" : ":", secret) < 0)
        ctl_out_of_memory();
    if (!args->json) {
        if (whole != NULL)
            plain_print(stderr, "the %s, shown this once%s:\n", kind,
                        w->replica ? "" : " (binlogtail --token-file reads it)");
        if (whole != NULL)
            plain_print(stderr, "%s\n", whole);
        (void)fputs(line, stdout);
    } else {
        json_t *answer = json_pack("{s:s, s:s#}", "user", w->user, "line", line, (int)strcspn(line, "\n"));
        if (whole != NULL)
            lt_ignore(json_object_set_new(answer, kind, json_string(whole)));
        lt_ignore(json_dumpf(answer, stdout, JSON_COMPACT));
        (void)fputc('\n', stdout);
        json_decref(answer);
    }
    if (whole != NULL)
        explicit_bzero(whole, strlen(whole));
    free(whole);
}

static int get_secret(const struct wish *w, char *secret, size_t cap, struct lt_err *err)
{
    if (!users_name_ok(w->user)) /* before anything is asked for */
        return lt_err_set(err, LT_EINVAL, "a user's name has 1 to %d letters, digits, _ and -", USERS_NAME_MAX);
    if (w->made)
        return make_up(secret, cap, err);
    int rc = isatty(STDIN_FILENO) ? typed(secret, cap, err) : read_in(secret, cap, err);
    if (rc == LT_OK && !w->replica && is_token(w->user, secret))
        rc = lt_err_set(err, LT_EINVAL, "that is a whole token; the secret is what stands behind \"%s:\"", w->user);
    return rc;
}

static bool parse(const struct arguments *args, struct wish *ret)
{
    *ret = (struct wish){.user = args->n_words > 1 ? args->words[1] : NULL};
    for (int i = 2; i < (int)args->n_words; i++) {
        bool *flag = strcmp(args->words[i], "--generate") == 0  ? &ret->made
                     : strcmp(args->words[i], "--replica") == 0 ? &ret->replica
                                                                : NULL;
        if (flag == NULL || *flag)
            return false;
        *flag = true;
    }
    return ret->user != NULL && ret->user[0] != '-';
}

int user_line_run(const struct arguments *args)
{
    char secret[INPUT_MAX + 1] = "";
    char *line = NULL;
    struct lt_err err = {0};
    struct wish w;
    if (!parse(args, &w)) {
        plain_print(stderr, "logtailerctl: usage: user NAME [--replica] [--generate]\n");
        return EXIT_BAD_USAGE;
    }
    int rc = get_secret(&w, secret, sizeof secret, &err);
    if (rc == LT_OK)
        rc = w.replica ? replica_users_make_line(w.user, secret, &line, &err)
                       : users_make_line(w.user, secret, &line, &err);
    if (rc == LT_OK) {
        if (strlen(secret) < SHORT_BYTES)
            plain_print(stderr,
                        "logtailerctl: warning: a secret of less than %d characters may be guessed by who reads "
                        "the file; --generate makes one that is not\n",
                        SHORT_BYTES);
        show(args, &w, line, secret);
    } else {
        plain_print(stderr, "logtailerctl: %s\n", err.text);
    }
    explicit_bzero(secret, sizeof secret);
    free(line);
    return rc == LT_OK ? EXIT_DONE : EXIT_BAD_USAGE;
}
