/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shared headers want of <assert.h>, for the kernel half: static_assert. */
#include <linux/build_bug.h>
