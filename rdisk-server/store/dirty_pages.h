/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the host has so many pages to write back that it will soon make those wait who write more. It is about the
 * whole host: the limits of a control group or of a single slow device show only by how long a write takes
 * (write_throttle.h).
 */
#ifndef RDISK_DIRTY_PAGES_H
#define RDISK_DIRTY_PAGES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether it is near that. Looks at /proc/vmstat if the last look was 100 ms ago; where there is none, which is logged
 * once, it never is. `now`: coarse_clock_ns(). The loop's thread.
 */
bool dirty_pages_near_limit(uint64_t now);

#endif
