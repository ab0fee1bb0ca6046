#!/bin/sh
export REDISCLI_AUTH="$(cat /etc/redis/password)"
timeout 2 "$(command -v valkey-cli || command -v redis-cli)" ping 2>/dev/null | grep -qx PONG || exit 1
state=$(timeout 2 "$(command -v valkey-cli || command -v redis-cli)" --raw info replication | tr -d '\r')
case "$state" in
*role:master*) exit 0 ;;
*master_link_status:up*) exit 0 ;;
esac
exit 1
