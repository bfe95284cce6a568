# Sourced by the scripts beside it: what they have in common. POSIX sh.
#
#   record NAME LICENCE TITLE COMMAND...
#
# records COMMAND into ../NAME.parquet, prints what the kernel counted of it beside what the stream has, and enters that
# into ../truth.csv. It needs perf, GNU time, and the right to record (see docs/recording.md); VMMSIM is the program,
# `vmmsim` by default. The command runs under SCHED_RR, so that others on the machine do not preempt it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
vmmsim=${VMMSIM:-vmmsim}
python=${PYTHON:-python3}
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT INT TERM

record() {
    name=$1 licence=$2 title=$3
    shift 3
    out="$here/../$name.parquet"
    export RESIDENT="$work/resident"
    rm -f "$out" "$RESIDENT"
    nice -n -15 "$vmmsim" record --json --keep-awake --buffer 16M --title "$title" --out "$out" \
        --about "licence=$licence" --about "script=scripts/$(basename "$0")" \
        -- chrt --rr 1 /usr/bin/time --quiet --output "$work/time" --format '%M %F %R %w %c' "$@" >"$work/summary.json"
    "$python" "$here/truth.py" "$name" "$out" "$work/summary.json" "$work/time" "$RESIDENT"
}
