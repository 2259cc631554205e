/* The text of binlogtail --help. A test compares its options with the man page and the completion. Layer: client (program). */
#ifndef LT_CLIENT_BINLOGTAIL_HELP_H
#define LT_CLIENT_BINLOGTAIL_HELP_H

extern const char binlogtail_help[];

#endif
