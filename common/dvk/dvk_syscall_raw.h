/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system call instruction of x86-64 Linux, for code that runs where the C library's
 * wrappers must not: in the guest kernel's helper thread, which shares errno and
 * thread-local storage with the kernel's own thread.
 *
 * No cancellation point, no errno, no checks. Any thread.
 */
#ifndef DVK_SYSCALL_RAW_H
#define DVK_SYSCALL_RAW_H

#if !defined(__x86_64__) || defined(__ILP32__)
#error "raw system calls are written for x86-64 with 64-bit pointers"
#endif

/* Result as the kernel returns it: >= 0, or -errno. */
static inline long dvk_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define dvk_syscall0(number)		 dvk_syscall(number, 0, 0, 0, 0, 0, 0)
#define dvk_syscall1(number, a)		 dvk_syscall(number, (long)(a), 0, 0, 0, 0, 0)
#define dvk_syscall2(number, a, b)	 dvk_syscall(number, (long)(a), (long)(b), 0, 0, 0, 0)
#define dvk_syscall3(number, a, b, c)	 dvk_syscall(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define dvk_syscall4(number, a, b, c, d) dvk_syscall(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define dvk_syscall5(number, a, b, c, d, e)                                                                            \
	dvk_syscall(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define dvk_syscall6(number, a, b, c, d, e, f)                                                                         \
	dvk_syscall(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
