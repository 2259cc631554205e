/* Result sets: every column is a string, as all clients take it. */
#include "fake_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/err.h"

static void add_lenenc_text(struct writer *w, const char *text, size_t len)
{
    if (len < 251) {
        writer_u8(w, (uint8_t)len);
    } else {
        writer_u8(w, 0xfc);
        writer_u16(w, (uint16_t)len);
    }
    writer_bytes(w, text, len);
}

static void send_column(struct fake_io *io, const char *name, size_t len)
{
    uint8_t buf[1024];
    struct writer w = writer_on(buf, sizeof buf);
    add_lenenc_text(&w, "def", 3);
    for (int i = 0; i < 3; i++)
        writer_u8(&w, 0);
    add_lenenc_text(&w, name, len < 250 ? len : 250);
    writer_u8(&w, 0);
    writer_u8(&w, 0x0c);
    writer_u16(&w, 45);
    writer_u32(&w, 4096);
    writer_u8(&w, 0xfd);
    writer_u16(&w, 0);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    fake_packet_whole(io, buf, w.len);
}

static size_t count_cells(const char *line, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        n += line[i] == '\t';
    return n;
}

static void send_row(struct fake_io *io, const char *line, size_t len)
{
    static const size_t cap = 65536;
    uint8_t *buf = malloc(cap);
    lt_assert(buf);
    struct writer w = writer_on(buf, cap);
    for (;;) {
        const char *tab = memchr(line, '\t', len);
        size_t n = tab ? (size_t)(tab - line) : len;
        if (n == 4 && memcmp(line, "NULL", 4) == 0)
            writer_u8(&w, 0xfb);
        else
            add_lenenc_text(&w, line, n);
        if (!tab)
            break;
        line += n + 1;
        len -= n + 1;
    }
    fake_packet_whole(io, buf, w.len);
    free(buf);
}

void fake_send_table(struct fake_io *io, const char *text)
{
    size_t len = strcspn(text, "\n");
    size_t cols = count_cells(text, len);
    fake_packet_whole(io, &(uint8_t){(uint8_t)cols}, 1);
    for (size_t i = 0, at = 0; i < cols; i++) {
        size_t n = strcspn(text + at, "\t\n");
        send_column(io, text + at, n);
        at += n + 1;
    }
    fake_send_eof(io);
    for (text += len; *text == '\n' && text[1]; text += len) {
        text++;
        len = strcspn(text, "\n");
        send_row(io, text, len);
    }
    fake_send_eof(io);
}
