#!/bin/sh
# The password reaches the server in a file of memory, never on a command line.
set -eu
umask 077
export REDISCLI_AUTH="$(cat /etc/redis/password)"
{
    cat /etc/redis/redis.conf
    echo "requirepass $REDISCLI_AUTH"
    echo "masterauth $REDISCLI_AUTH"
} >/tmp/redis.conf
unset REDISCLI_AUTH
exec "$(command -v valkey-server || command -v redis-server)" /tmp/redis.conf
