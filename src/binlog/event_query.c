/* QUERY: header | thread:4 exec_time:4 db_len:1 error:2 status_len:2 | status | db | 00 | statement | [crc]. */
#include <string.h>

#include "base/cursor.h"
#include "binlog/event.h"

#define POST_HEADER_LEN 13
#define OFF_DB_LEN      (EVENT_HEADER_LEN + 8)
#define OFF_STATUS_LEN  (EVENT_HEADER_LEN + 11)
#define STATEMENT_LOOK  32 /* bytes of a statement that decide what it is */

static bool is_space(uint8_t ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* Take an upper-case word off the front, whatever the case of the text. */
static bool take_word(const uint8_t **text, size_t *left, const char *word)
{
    size_t n = strlen(word);
    if (*left < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t ch = (*text)[i];
        if (ch >= 'a' && ch <= 'z')
            ch = (uint8_t)(ch - 'a' + 'A');
        if (ch != (uint8_t)word[i])
            return false;
    }
    *text += n;
    *left -= n;
    return true;
}

/* The word is all there is: servers write it bare, a semicolon or blanks behind it change nothing. */
static bool is_exactly(const uint8_t *text, size_t left, const char *word)
{
    if (!take_word(&text, &left, word))
        return false;
    while (left != 0 && (is_space(*text) || *text == ';')) {
        text++;
        left--;
    }
    return left == 0;
}

static enum query_kind xa_kind(const uint8_t *text, size_t left)
{
    static const struct {
        const char *word;
        enum query_kind kind;
    } verbs[] = {
        {"START", QUERY_XA_START},   {"BEGIN", QUERY_XA_START},       {"END", QUERY_XA_END},
        {"COMMIT", QUERY_XA_COMMIT}, {"ROLLBACK", QUERY_XA_ROLLBACK},
    };
    size_t blanks = 0;
    while (blanks < left && is_space(text[blanks]))
        blanks++;
    if (blanks == 0)
        return QUERY_OTHER;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const uint8_t *p = text + blanks;
        size_t rest = left - blanks;
        if (take_word(&p, &rest, verbs[i].word) && rest != 0 && is_space(*p))
            return verbs[i].kind;
    }
    return QUERY_OTHER;
}

/* `whole`: text is the complete statement, so that an exact match means something. */
static enum query_kind classify(const uint8_t *text, size_t len, bool whole)
{
    if (len == 0)
        return QUERY_OTHER;
    switch (text[0]) {
    case 'B':
    case 'b':
        return whole && is_exactly(text, len, "BEGIN") ? QUERY_BEGIN : QUERY_OTHER;
    case 'C':
    case 'c':
        return whole && is_exactly(text, len, "COMMIT") ? QUERY_COMMIT : QUERY_OTHER;
    case 'R':
    case 'r':
        return whole && is_exactly(text, len, "ROLLBACK") ? QUERY_ROLLBACK : QUERY_OTHER;
    case 'X':
    case 'x':
        return take_word(&text, &len, "XA") ? xa_kind(text, len) : QUERY_OTHER;
    default:
        return QUERY_OTHER;
    }
}

int event_query_kind(const uint8_t *head, size_t head_len, size_t event_len, bool crc, enum query_kind *ret)
{
    if (head_len < EVENT_HEADER_LEN + POST_HEADER_LEN)
        return LT_ESHORT;
    size_t tail = crc ? EVENT_CRC_LEN : 0;
    size_t start = EVENT_HEADER_LEN + POST_HEADER_LEN + 1;
    start += load_u16(head + OFF_STATUS_LEN);
    start += head[OFF_DB_LEN];
    if (event_len < start + tail)
        return LT_EPROTO;
    size_t len = event_len - tail - start;
    size_t look = len < STATEMENT_LOOK ? len : STATEMENT_LOOK;
    if (head_len < start + look)
        return LT_ESHORT;
    *ret = classify(head + start, look, look == len);
    return 0;
}
