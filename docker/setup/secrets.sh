#!/bin/sh
# At the first start: passwords, a certificate authority and the primary's certificate. secrets.sh PRIMARY TAILER [PRIMARY-UID TAILER-UID]
# PRIMARY gets what the primary needs, TAILER what the logtailers need; what was made once stays. The authority's key is not kept.
set -eu
umask 077
primary=$1
tailer=$2
[ ! -f "$tailer/made" ] || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl rand -hex 24 >"$primary/root_password"
openssl rand -hex 24 >"$primary/logtailer_password"
openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=logtailer compose CA" \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey rsa:3072 -nodes -subj "/CN=primary" -keyout "$primary/server.key" -out "$work/server.csr" 2>/dev/null
echo "subjectAltName=DNS:primary" >"$work/names"
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 3650 -extfile "$work/names" \
    -out "$primary/server.pem" 2>/dev/null
cp "$work/ca.pem" "$primary/ca.pem"
cp "$work/ca.pem" "$primary/logtailer_password" "$tailer/"
if [ $# = 4 ]; then
    chown -R "$3:$3" "$primary"
    chown -R "$4:$4" "$tailer"
fi
: >"$tailer/made"
