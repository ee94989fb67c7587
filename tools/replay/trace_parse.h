/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and fields of lines. Strict (all of a text must be the number, nothing overflows silently, no signs, no
 * "nan") and the same in every locale.
 */
#ifndef REPLAY_TRACE_PARSE_H
#define REPLAY_TRACE_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "diagnostic.h"

#define NS_PER_S   UINT64_C(1000000000)

/* Fields of a line, cut in place; blanks around each are left out. */
#define FIELDS_MAX 16

/*
 * Cuts at each `separator`, or at runs of blanks for ' '. Returns how many fields there are; what is
 * beyond FIELDS_MAX stays in the last field.
 */
int parse_fields(char *line, char separator, char *fields[FIELDS_MAX]);

/* Decimal digits. False: not that, or too large. */
bool parse_number(const char *text, uint64_t *value);

/* The same in a base up to 16, either case, no prefix. */
bool parse_number_base(const char *text, unsigned int base, uint64_t *value);

/* Seconds such as "12" or "0.000123456", in ns; digits behind the ninth are checked and dropped. */
bool parse_seconds(const char *text, uint64_t *ns);

/* text is a number, times unit: into *value. 0; or -1 and *cause, which calls it `what`. */
int parse_scaled(const char *text, const char *what, uint64_t unit, uint64_t *value, struct diagnostic *cause);

/* A time in seconds into *ns. 0; or -1 and *cause. */
int parse_time(const char *text, const char *what, uint64_t *ns, struct diagnostic *cause);

/* A number up to UINT32_MAX into *value. 0; or -1 and *cause. */
int parse_device(const char *text, const char *what, uint32_t *device, struct diagnostic *cause);

#endif
