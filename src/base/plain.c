#include "base/plain.h"

#include <stdlib.h>
#include <string.h>

struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range hidden[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},       {0x61c, 0x61c},   {0x180e, 0x180e},
    {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
    {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

/* By its first byte; 0: none begins so. */
static size_t utf8_length(unsigned char first)
{
    static const struct {
        unsigned char below;
        unsigned char length;
    } rows[] = {{0x80, 1}, {0xc2, 0}, {0xe0, 2}, {0xf0, 3}, {0xf5, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (first < rows[i].below)
            return rows[i].length;
    }
    return 0;
}

size_t plain_utf8(const char *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000}; /* of each length: longer forms are none */
    const unsigned char *p = (const unsigned char *)text;
    size_t n = len == 0 ? 0 : utf8_length(p[0]);
    if (n == 0 || n > len)
        return 0;
    uint32_t code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3fu);
    }
    if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    if (ret_code != NULL)
        *ret_code = code;
    return n;
}

bool plain_code_ok(uint32_t code)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last)
            return false;
    }
    return true;
}

void plain_bytes(char *text, size_t len, char control)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = plain_utf8(text + i, len - i, &code);
        bool ok = n > 0 && plain_code_ok(code);
        if (!ok)
            memset(text + i, n == 1 ? control : '?', n > 0 ? n : 1);
        i += n > 0 ? n : 1;
    }
}

void plain_vprint(FILE *out, const char *fmt, va_list ap)
{
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    if (n <= 0) {
        if (n == 0)
            free(text);
        return;
    }
    size_t len = (size_t)n - (text[n - 1] == '\n');
    plain_bytes(text, len, '?');
    (void)fwrite(text, 1, (size_t)n, out);
    free(text);
}

void plain_print(FILE *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    plain_vprint(out, fmt, ap);
    va_end(ap);
}
