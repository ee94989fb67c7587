/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared headers want of <stdbool.h>, for the kernel half. */
#include <linux/types.h>
