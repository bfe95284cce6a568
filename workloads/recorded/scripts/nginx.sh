#!/bin/sh
# nginx serves a file of 1 KiB to ab, 8 connections at a time, all on one machine. Debian: nginx, apache2-utils.
. "$(dirname "$0")/common.sh"
mkdir "$work/www"
head -c 1024 /dev/zero | tr '\0' x >"$work/www/index.html"
cat >"$work/nginx.conf" <<END
daemon off;
user root;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 64; }
http {
    access_log $work/access.log;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server { listen 127.0.0.1:18080; root $work/www; }
}
END
cat >"$work/load.sh" <<END
/usr/sbin/nginx -c $work/nginx.conf &
sleep 0.5
ab -q -n 2000 -c 8 http://127.0.0.1:18080/ >$work/ab.txt
kill -QUIT \$!
wait \$!
END
record nginx "BSD-2-Clause (nginx 1.22 of Debian), Apache-2.0 (ab)" "nginx, and ab with 2,000 requests, 8 at a time" \
    sh "$work/load.sh"
grep -E 'Complete|Failed|Requests per' "$work/ab.txt"
