#!/bin/sh
. "$(dirname "$0")/common.sh"
# 150 rows, each in a transaction of its own, so that each is written through to the disk.
awk 'BEGIN {
    print "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);"
    for (i = 0; i < 150; i++) printf "INSERT INTO t (name) VALUES (\x27row number %d\x27);\n", i
}' >"$work/insert.sql"
record sqlite "public domain (SQLite 3.40 of Debian)" "SQLite, 150 inserts, each with fsync" \
    sh -c "sqlite3 $work/test.db <$work/insert.sql"
