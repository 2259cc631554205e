/*
 * Figures and texts as people read them: 1.4 GiB, 853 us, 12,345. Nothing that came over the socket reaches a terminal unfiltered.
 *
 * Layer: ctl. Thread: main. Errors: none; what does not fit is cut. Units: as the names say.
 */
#ifndef LT_CTL_FORMAT_H
#define LT_CTL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define FORMAT_SMALL 48

/* Each writes into buf (FORMAT_SMALL bytes) and returns it. */
const char *format_bytes(double bytes, char *buf);
const char *format_us(double us, char *buf);
const char *format_seconds(double seconds, char *buf);
const char *format_count(uint64_t n, char *buf);

/*
 * A scalar as text, by the unit that its name ends in (_bytes, _us, _seconds, _at_s); "-" for null and what is missing. Lists become their length.
 * The caller frees. NULL when out of memory.
 */
char *format_value(const char *name, const json_t *value);
/* A copy that steers no terminal (base/plain.h). The caller frees. */
char *format_clean(const char *text);
/* Columns that a clean text takes, each character as one. */
size_t format_width(const char *text);

#endif
