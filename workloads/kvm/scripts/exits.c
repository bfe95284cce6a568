/* A guest without an operating system that leaves for KVM a known number of times, as the comments beside it say. */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { MEMORY = 0x80000, START = 0x1000, END_PORT = 0xf4 };

extern const uint8_t guest[], guest_end[];
__asm__(".code16\n"
        "guest: mov $20, %bp\n" /* 20 writes of port 0x3f8 */
        "  mov $0x3f8, %dx\n"
        "1: out %al, (%dx)\n  dec %bp\n  jnz 1b\n"
        "  mov $10, %bp\n" /* 10 reads of port 0x3fd */
        "  mov $0x3fd, %dx\n"
        "1: in (%dx), %al\n  dec %bp\n  jnz 1b\n"
        "  mov $8, %bp\n" /* 8 times CPUID */
        "1: xor %eax, %eax\n  cpuid\n  dec %bp\n  jnz 1b\n"
        "  mov $6, %bp\n" /* 6 reads of a register, 0x1b (the base of the local APIC) */
        "1: mov $0x1b, %ecx\n  rdmsr\n  dec %bp\n  jnz 1b\n"
        "  mov $4, %bp\n" /* 4 writes of a register, 0x3b (an adjustment of the time-stamp counter) */
        "1: mov $0x3b, %ecx\n  xor %eax, %eax\n  xor %edx, %edx\n  wrmsr\n  dec %bp\n  jnz 1b\n"
        "  mov $0xd000, %ax\n  mov %ax, %ds\n" /* 5 writes and 3 reads of a page without memory, 0xd0000 */
        "  mov $5, %bp\n"
        "1: movb $1, 8\n  dec %bp\n  jnz 1b\n"
        "  mov $3, %bp\n"
        "1: movb 16, %al\n  dec %bp\n  jnz 1b\n"
        "  mov $0x1000, %ax\n" /* first touches of 16 pages, from 0x10000 on; with the one of this code 17 */
        "  mov $16, %bp\n"
        "1: mov %ax, %ds\n  movb $1, 0\n  add $0x100, %ax\n  dec %bp\n  jnz 1b\n"
        "  mov $2, %bp\n" /* 2 halts */
        "1: hlt\n  dec %bp\n  jnz 1b\n"
        "  mov $0xf4, %dx\n  out %al, (%dx)\n" /* the end: one more write of a port */
        "guest_end: .code64\n");

static int call(int file, unsigned long request, unsigned long argument)
{
    int result = ioctl(file, request, argument);
    if (result < 0)
        err(1, "ioctl %#lx", request);
    return result;
}

int main(void)
{
    int kvm = open("/dev/kvm", O_RDWR);
    if (kvm < 0)
        err(1, "/dev/kvm");
    int machine = call(kvm, KVM_CREATE_VM, 0);
    uint8_t *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        err(1, "memory of the guest");
    memcpy(memory + START, guest, guest_end - guest);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
    call(machine, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region);
    int vcpu = call(machine, KVM_CREATE_VCPU, 0);
    struct kvm_run *run =
        mmap(NULL, call(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED)
        err(1, "state of the virtual CPU");
    struct kvm_sregs special;
    call(vcpu, KVM_GET_SREGS, (uintptr_t)&special);
    special.cs.base = special.cs.selector = 0;
    call(vcpu, KVM_SET_SREGS, (uintptr_t)&special);
    struct kvm_regs registers = {.rip = START, .rflags = 2};
    call(vcpu, KVM_SET_REGS, (uintptr_t)&registers);
    do
        call(vcpu, KVM_RUN, 0);
    while ((run->exit_reason == KVM_EXIT_IO && run->io.port != END_PORT) || run->exit_reason == KVM_EXIT_MMIO ||
           run->exit_reason == KVM_EXIT_HLT);
    if (run->exit_reason != KVM_EXIT_IO)
        errx(1, "left for a reason that was not planned: %u", run->exit_reason);
    return 0;
}
