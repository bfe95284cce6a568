#!/bin/sh
. "$(dirname "$0")/common.sh"
tar -cf "$work/warm.tar" -C /usr/include linux
record tar-gzip "GPL-3.0-or-later (tar 1.34 and gzip 1.12 of Debian)" "tar of /usr/include/linux through gzip" \
    sh -c "tar -cf - -C /usr/include linux | gzip >$work/linux.tar.gz"
