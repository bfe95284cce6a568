#!/bin/sh
# Redis under redis-benchmark, all on one machine. Debian: redis.
. "$(dirname "$0")/common.sh"
cat >"$work/load.sh" <<END
redis-server --port 16379 --bind 127.0.0.1 --save '' --dir $work >$work/log &
sleep 0.5
redis-benchmark -q -p 16379 -c 10 -n 3000 -t set,get >$work/benchmark.txt
redis-cli -p 16379 shutdown nosave
wait \$!
END
record redis "BSD-3-Clause (Redis 7.0 of Debian)" "Redis, and redis-benchmark with 3,000 SET and 3,000 GET, 10 at a time" \
    sh "$work/load.sh"
tr '\r' '\n' <"$work/benchmark.txt" | tail -2
