# Runs in the emulated machine: records guests under KVM, first under nested paging, then under shadow paging.
set -eu
cd /tmp/shared
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
uname -srv
ln -s /proc/self/fd /dev/fd
tracing=/sys/kernel/tracing
mount -t tracefs none $tracing
events="kvm_entry kvm_exit kvm_pio kvm_msr kvm_cr kvm_mmio kvm_fast_mmio kvm_page_fault kvm_eoi kvm_inj_virq"

trace() { # OUT COMMAND...
    out=$1
    shift
    echo >$tracing/trace
    echo 65536 >$tracing/buffer_size_kb
    echo 1 >$tracing/options/record-tgid
    for event in $events; do echo 1 >$tracing/events/kvm/$event/enable; done
    echo 1 >$tracing/tracing_on
    "$@"
    echo 0 >$tracing/tracing_on
    for event in $events; do echo 0 >$tracing/events/kvm/$event/enable; done
    cat $tracing/trace >"$out"
}

linux() { # a guest with Linux, and what its init does
    qemu-system-x86_64 -accel kvm -cpu host -m 512 -nographic -no-reboot -nic none -vga none \
        -kernel vmlinuz -initrd guest.img -append "console=ttyS0 quiet mitigations=off nokaslr norandmaps nopti" \
        -virtfs local,path=/tmp/shared,mount_tag=shared,security_model=none </dev/null >"console-$paging.txt" 2>&1
}

for paging in nested shadow; do
    insmod /tmp/shared/modules/kvm-amd.ko npt=$([ $paging = nested ] && echo 1 || echo 0)
    if [ $paging = nested ]; then
        trace exits.ftrace.txt ./exits
        flags=
        for event in $events; do flags="$flags -e kvm:$event"; done
        trace-cmd record -o exits.dat $flags ./exits
        trace-cmd report exits.dat >exits.trace-cmd.txt
        perf record -o exits.data $flags ./exits
        perf script --ns -F comm,pid,tid,cpu,time,event,trace -i exits.data >exits.perf.txt
        perf kvm stat record -o perf.data.guest ./exits
        perf kvm -i perf.data.guest stat report >exits.kvm-stat.txt 2>&1
    fi
    trace host-$paging.txt linux
    for program in forkwait page-touch pingpong-processes; do mv guest-$program.txt guest-$program-$paging.txt; done
    rmmod kvm_amd
done
