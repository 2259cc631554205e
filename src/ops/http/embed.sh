#!/bin/sh
# Turns a file into a C source that holds it: embed.sh FILE NAME OUTPUT
set -eu
{
    echo "#include \"ops/http/$2.h\""
    echo "const char $2[] = {"
    od -An -v -tu1 "$1" | sed 's/\([0-9]\{1,\}\)/\1,/g; s/\([0-9]\{3\}\),/(char)\1,/g'
    echo "0};"
    echo "const size_t $2_len = sizeof $2 - 1;"
} >"$3"
