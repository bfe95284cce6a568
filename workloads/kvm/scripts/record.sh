#!/bin/sh
# Records guests under KVM on a machine that needs no virtualization of its own: QEMU emulates an AMD processor with SVM, its
# Linux runs KVM, and KVM runs the guests. Counts and order of exits are KVM's; times are the emulator's, and mean nothing.
#
#   record.sh FOLDER      leaves texts in FOLDER: exits.*.txt, and for each program what guest and host saw of it
#
# Debian's packages: qemu-system-x86 linux-image-amd64 (its files suffice: KERNEL names a folder with boot/ and lib/) busybox-static
# kmod cpio gcc trace-cmd linux-perf. perf should be of the kernel's version. No privilege is needed; it takes some two minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
kernel=${KERNEL:-/}
version=$(basename "$(ls -d "$kernel"/lib/modules/*-amd64 | tail -n 1)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

image() { # NAME INIT MODULES FILES...: a file system in memory, with the modules in the order in which they need each other
    tree="$work/$1"
    mkdir -p "$tree/bin" "$tree/modules" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/root" "$tree/shared"
    cp "$2" "$tree/init"
    cp /bin/busybox "$tree/bin"
    target=$1 modules=$3
    shift 3
    for file in "$@"; do cp "$file" "$tree/bin"; done
    for module in $modules; do
        cp "$(find "$kernel/lib/modules/$version" -name "$module.ko")" "$tree/modules"
        echo "$module.ko" >>"$tree/modules/order"
    done
    (cd "$tree" && find . | cpio -o -H newc --quiet | gzip -1 >"$work/$target.img")
}

programs=$here/../../recorded/scripts
for program in forkwait memory pingpong; do gcc -O1 -static -pthread -o "$work/$program" "$programs/$program.c"; done
for program in exits window; do gcc -O1 -static -o "$work/$program" "$here/$program.c"; done
virtio="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci netfs fscache 9pnet 9pnet_virtio 9p"
image guest "$here/guest-init" "$virtio" "$work/window" "$work/forkwait" "$work/memory" "$work/pingpong"
image host "$here/host-init" "$virtio irqbypass ccp kvm"
mkdir -p "$out/modules"
cp "$(find "$kernel/lib/modules/$version" -name kvm-amd.ko)" "$out/modules"
cp "$work/exits" "$work/guest.img" "$here/host-record.sh" "$out"
cp "$kernel/boot/vmlinuz-$version" "$out/vmlinuz"

timeout 900 qemu-system-x86_64 -accel tcg,thread=multi -cpu EPYC -smp 2 -m 4096 -nographic -no-reboot -nic none \
    -kernel "$out/vmlinuz" -initrd "$work/host.img" -append "console=ttyS0 quiet mitigations=off" \
    -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
    -virtfs local,path="$out",mount_tag=shared,security_model=none </dev/null >"$out/machine.log" 2>&1
rm -rf "$out/modules" "$out/exits" "$out/guest.img" "$out/vmlinuz" "$out/host-record.sh"
cat "$out/host.log"
