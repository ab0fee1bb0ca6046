#!/bin/sh
export REDISCLI_AUTH="$(cat /etc/redis/password)"
timeout 2 "$(command -v valkey-cli || command -v redis-cli)" ping 2>/dev/null | grep -qx PONG || exit 1
# Where nobody else tells it that its certificate was renewed, this is what notices.
now=$(cksum </etc/tierstack/tls/tls.crt)
if [ "$now" != "$(cat /tmp/certificate 2>/dev/null)" ]; then
    timeout 2 "$(command -v valkey-cli || command -v redis-cli)" config set tls-cert-file /etc/tierstack/tls/tls.crt tls-key-file /etc/tierstack/tls/tls.key 2>/dev/null | grep -qx OK &&
        echo "$now" >/tmp/certificate
fi
state=$(timeout 2 "$(command -v valkey-cli || command -v redis-cli)" --raw info replication | tr -d '\r')
case "$state" in
*role:master*) exit 0 ;;
*master_link_status:up*) exit 0 ;;
esac
exit 1
