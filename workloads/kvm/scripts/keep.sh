#!/bin/sh
# Makes what is shipped of the texts that record.sh left in a folder: keep.sh FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
echo "program,paging,reason,what,access,by,exits" >"$here/../exits.csv"
for paging in nested shadow; do
    for program in forkwait page-touch pingpong-processes; do
        "${VMMSIM:-vmmsim}" import ftrace "$1/guest-$program-$paging.txt" --out "$here/../$program-$paging.parquet" \
            --title "$program in a guest under $paging paging, on an emulated machine" \
            --about "cpu=AMD EPYC with SVM, emulated by QEMU" --about "false_times=an emulator's" \
            --about "kernel=$(head -n 1 "$1/host.log")" --about "script=scripts/record.sh" --about "licence=MIT (part of vmmsim)"
    done
    python3 "$here/count.py" $paging "$1" >>"$here/../exits.csv"
done
