#include "ctl/set_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/file_text.h"
#include "ctl/commands.h"

#define SET_TEXT_MAX (16u << 20)

/* Length of the blank at p: a character, or two that stand for one. */
static size_t blank_length(const char *p)
{
    if (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        return 1;
    return p[0] == '\\' && (p[1] == 'n' || p[1] == 'r' || p[1] == 't') ? 2 : 0;
}

/* In place: one blank for any number of them, none at the ends and beside commas. */
static void squeeze(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        size_t n = blank_length(in);
        bool wanted = n > 0 && out > text && out[-1] != ' ' && out[-1] != ',';
        if (*in == ',' && out > text && out[-1] == ' ')
            out--;
        if (n == 0)
            *out++ = *in;
        else if (wanted)
            *out++ = ' ';
        in += n > 0 ? n : 1;
    }
    if (out > text && out[-1] == ' ')
        out--;
    *out = '\0';
}

static int append(char **text, const char *word, struct lt_err *err)
{
    char *piece = NULL;
    int rc = file_text_of_word(word, SET_TEXT_MAX, &piece, err);
    if (rc != LT_OK)
        return rc;
    size_t len = *text != NULL ? strlen(*text) : 0;
    char *more = realloc(*text, len + strlen(piece) + 2);
    if (more != NULL) {
        *text = more;
        if (len > 0)
            more[len++] = ' ';
        memcpy(more + len, piece, strlen(piece) + 1);
        squeeze(more);
    }
    free(piece);
    return more != NULL ? LT_OK : lt_err_set(err, LT_ENOMEM, "out of memory");
}

int set_words_gather(struct arguments *args, char **ret_owned, struct lt_err *err)
{
    const struct command *command = args->n_words > 1 ? command_find(args->words[0]) : NULL;
    size_t behind = 0;
    char *text = NULL;
    *ret_owned = NULL;
    if (command == NULL || strncmp(command->arguments, "SET", 3) != 0)
        return LT_OK;
    for (const char *p = command->arguments; *p != '\0'; p++)
        behind += *p == ' ';
    if (args->n_words < 2 + behind)
        return LT_OK; /* what is missing logtailerd says */
    for (size_t i = 1; i < args->n_words - behind; i++) {
        int rc = append(&text, args->words[i], err);
        if (rc != LT_OK) {
            free(text);
            return rc;
        }
    }
    args->words[1] = text;
    for (size_t i = 0; i < behind; i++)
        args->words[2 + i] = args->words[args->n_words - behind + i];
    args->n_words = 2 + behind;
    *ret_owned = text;
    return LT_OK;
}
