#!/bin/sh
# logtailerd.conf(5) out of what --help-config prints: conf_man.sh PROGRAM VERSION OUTPUT
set -eu
program=$1
version=$2
{
    cat <<HEAD
.TH LOGTAILERD.CONF 5 2026-11-25 "logtailer $version" "File formats"
.SH NAME
logtailerd.conf \\- configuration of logtailerd
.SH DESCRIPTION
An INI file:
.B [section]
lines, and
.I key = value
lines. A comment is a line that begins with # or ;. Everything can be overridden on the command line with
.BR "\\-\\-set section.key=value" ,
and checked with
.BR \\-\\-check .
.PP
Sizes have a suffix, as in 200G: B, K, M, G, T, the same as KiB, MiB, GiB, TiB (powers of 1024), and kB, MB, GB, TB (powers of 1000); a number without one is refused. Times take us, ms, s, min, h and d.
.PP
SIGHUP and
.B logtailerctl reload
take over the keys that are marked reloadable, all of them or, when the file is wrong, none. The others need a restart.
HEAD
    "$program" --help-config | awk '
        function escape(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); return text }
        /^\[/ { section = substr($0, 2, length($0) - 2); print ".SH [" toupper(section) "]"; next }
        section == "" || /^$/ { next }
        /^[a-z]/ {
            key = $1
            value = substr($0, length(key) + 4)
            print ".TP"
            print ".BR " escape(key) " \" (" (value == "" ? "not set" : escape(value)) ")\""
            next
        }
        { sub(/^ +/, ""); print escape($0); if ($0 !~ /^Accepts/) print ".br" }'
    cat <<'TAIL'
.SH USERS FILES
.I tail.users_file
and
.I http.users_file
have a line for each user:
.PP
.RS
.I USER\fB:sha256$\fISALT\fB$\fIHEX
.RE
.PP
.I HEX
is the SHA-256 of
.I SALT
(1 to 64 bytes without $) followed by the secret, in hexadecimal.
.I USER
has 1 to 63 letters, digits, _ and \-, and may use the consumer names
.I USER
and
.IR USER.anything .
Lines that begin with # are comments; a user has one line. One bad line refuses the file, with its number.
.B logtailerctl user
.I USER
.B \-\-generate
makes a line and its secret; who logs in shows the token
.IR USER:SECRET .
A reload takes over what was changed, and ends connections of those whose line is gone or another one.
.SH FILES
.TP
.I /etc/logtailer/NAME.conf
of the systemd instance logtailerd@NAME
.SH SEE ALSO
.BR logtailerd (8),
.BR logtailerctl (1)
TAIL
} >"$3"
