#!/bin/sh
# PostgreSQL under pgbench, 2 clients, all on one machine. Debian: postgresql, postgresql-contrib.
. "$(dirname "$0")/common.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
mkdir "$work/data"
chown postgres "$work/data"
as="setpriv --reuid=postgres --regid=postgres --clear-groups"
$as "$bin/initdb" -D "$work/data" >"$work/initdb.log"
cat >>"$work/data/postgresql.conf" <<END
port = 15432
listen_addresses = ''
unix_socket_directories = '$work/data'
shared_buffers = 16MB
autovacuum = off
END
psql="$as $bin/pgbench -h $work/data -p 15432"
$as "$bin/pg_ctl" -D "$work/data" -l "$work/data/log" -w start >/dev/null
$as "$bin/createdb" -h "$work/data" -p 15432 bench
$psql -q -i -s 1 bench 2>/dev/null
$as "$bin/pg_ctl" -D "$work/data" -w stop >/dev/null
cat >"$work/load.sh" <<END
$as $bin/postgres -D $work/data >>$work/data/log 2>&1 &
server=\$!
until $as $bin/pg_isready -q -h $work/data -p 15432; do sleep 0.2; done
$psql -n -c 2 -t 150 bench >$work/pgbench.txt 2>&1
kill -INT \$server
wait \$server
END
record postgresql "PostgreSQL (PostgreSQL 15 and pgbench of Debian)" \
    "PostgreSQL, and pgbench with 2 clients of 150 transactions" sh "$work/load.sh"
grep -E 'actually|tps' "$work/pgbench.txt"
