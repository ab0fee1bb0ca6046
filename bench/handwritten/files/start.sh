#!/bin/sh
# Passwords reach the server in a file of memory, never on a command line.
set -eu
umask 077
# A snapshot begins with the name and version of its format. Valkey reads REDIS0001 to REDIS0011 (Redis up to 7.2), and
# Redis none of VALKEY. A server that is given another one stops with words that name neither.
server=$(basename "$(command -v valkey-server || command -v redis-server)")
for file in /data/dump.rdb /data/appendonlydir/*.rdb; do
    [ -f "$file" ] || continue
    case "$server:$(head -c 9 "$file")" in
    valkey-server:REDIS000? | valkey-server:REDIS001[01] | valkey-server:VALKEY* | redis-server:REDIS*) ;;
    valkey-server:REDIS*)
        echo "error: $file was written by Redis 7.4 or newer, and Valkey cannot read it. Nothing was changed."
        echo "Give the image of Redis again, or move the data to a new RedisCluster with Valkey."
        exit 1 ;;
    redis-server:VALKEY*)
        echo "error: $file was written by Valkey 9 or newer, and Redis cannot read it. Nothing was changed."
        echo "Give the image of Valkey again, or move the data to a new RedisCluster with Redis."
        exit 1 ;;
    esac
done
export REDISCLI_AUTH="$(cat /etc/redis/password)"
{
    cat /etc/redis/redis.conf
    echo "requirepass $REDISCLI_AUTH"
    echo "masterauth $REDISCLI_AUTH"
    [ ! -f /etc/redis/app-password ] || echo "user app on >$(cat /etc/redis/app-password) ~* &* +@all -@admin -@dangerous +flushdb +info +keys +sort +sort_ro +client|list +role"
} >/tmp/redis.conf
unset REDISCLI_AUTH
exec "$(command -v valkey-server || command -v redis-server)" /tmp/redis.conf
