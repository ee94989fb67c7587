/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared headers want of <stddef.h>, for the kernel half: size_t, offsetof. */
#include <linux/stddef.h>
#include <linux/types.h>
