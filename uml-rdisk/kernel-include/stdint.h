/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared headers want of <stdint.h>, for the kernel half. */
#include <linux/limits.h>
#include <linux/types.h>

#ifndef INT64_MIN
#define INT64_MIN S64_MIN
#endif
