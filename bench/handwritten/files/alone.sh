#!/bin/sh
export REDISCLI_AUTH="$(cat /etc/redis/password)"
ask() { timeout 2 "$(command -v valkey-cli || command -v redis-cli)" "$@" 2>/dev/null; }
# The Sentinels' own answer: the name of the primary, once for each that answers.
named() {
    for sentinel in redis-@NUMBER@-sentinel-0.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-1.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-2.redis-@NUMBER@-sentinel.bench.svc.cluster.local; do
        timeout 2 "$(command -v valkey-cli || command -v redis-cli)" -h "$sentinel" -p 26379 --raw sentinel get-master-addr-by-name primary \
            2>/dev/null | grep -E '^[a-z0-9.-]+[.][a-z0-9.-]+$' | head -n 1 || true
    done
}
agreed() {
    named | sort | uniq -c | sort -rn | head -n 1 | {
        read -r count primary || return 1
        [ "$count" -ge "$1" ] && printf '%s' "$primary"
    }
}

handover() {
    before=$(agreed 1) || return 1
    ask -h "$1" client pause 10000 write >&2
    begun=
    for sentinel in redis-@NUMBER@-sentinel-0.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-1.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-2.redis-@NUMBER@-sentinel.bench.svc.cluster.local; do
        ask -h "$sentinel" -p 26379 sentinel failover primary | grep -qE 'OK|INPROG' && begun=yes && break
    done
    tries=0
    while [ -n "$begun" ] && [ $tries -lt 40 ]; do
        # The Sentinel that leads the failover knows first; the others follow within two seconds.
        now=$(named | grep -vxF "$before" | head -n 1)
        if [ -n "$now" ] && ask -h "$now" role | head -n 1 | grep -q master; then
            ask -h "$1" replicaof "$now" 6379 >&2
            # What still waits there must come back through the endpoint, which leads elsewhere now.
            ask -h "$1" client unpause >&2
            ask -h "$1" client kill type normal skipme yes >&2
            return 0
        fi
        sleep 0.2
        tries=$((tries + 1))
    done
    ask -h "$1" client unpause >&2
    return 1
}

present=
for node in redis-@NUMBER@-node-1.redis-@NUMBER@-node.bench.svc.cluster.local redis-@NUMBER@-node-2.redis-@NUMBER@-node.bench.svc.cluster.local; do
    tries=0
    while :; do
        said=$(timeout 5 "$(command -v valkey-cli || command -v redis-cli)" -h "$node" ping 2>&1)
        case "$said" in
        PONG) present="$present $node"; break ;;
        *"not known"* | *"does not resolve"*) break ;;
        esac
        tries=$((tries + 1))
        if [ $tries -ge 90 ]; then
            echo "$node does not answer, and may hold what redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local lacks: $said"
            exit 1
        fi
        sleep 1
    done
done
if [ -z "$present" ]; then
    echo "there are no other nodes"
    exit 0
fi
tries=0
until ask -h redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local role | head -n 1 | grep -q master; do
    primary=$(agreed 2) && [ "$primary" != redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local ] && handover "$primary"
    tries=$((tries + 1))
    if [ $tries -ge 90 ]; then
        echo "redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local did not become primary"
        exit 1
    fi
    sleep 1
done
ask -h redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local config set min-replicas-to-write 0 >&2
# From here on the Sentinels do nothing: one that looks for a node that is gone might find the first at its address.
for sentinel in redis-@NUMBER@-sentinel-0.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-1.redis-@NUMBER@-sentinel.bench.svc.cluster.local redis-@NUMBER@-sentinel-2.redis-@NUMBER@-sentinel.bench.svc.cluster.local; do
    tries=0
    until timeout 5 "$(command -v valkey-cli || command -v redis-cli)" -h "$sentinel" -p 26379 sentinel remove primary 2>&1 \
        | grep -qE 'OK|No such (master|primary)|not known|does not resolve'; do
        tries=$((tries + 1))
        if [ $tries -ge 90 ]; then
            echo "$sentinel does not answer, and may still promote another node than redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local"
            exit 1
        fi
        sleep 1
    done
done
echo "redis-@NUMBER@-node-0.redis-@NUMBER@-node.bench.svc.cluster.local has everything and can go on alone"
