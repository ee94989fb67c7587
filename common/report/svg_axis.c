/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Axes and the way their values are written; see svg_axis.h and svg_plot.h.
 */
#include "svg_axis.h"

#include <math.h>
#include <string.h>

#define LARGEST 1e100 /* what is beyond is left out like infinity: its sums and quotients would be infinite */

bool axis_can_show(enum svg_scale scale, double value)
{
	return fabs(value) <= LARGEST && (scale == SVG_LINEAR || value >= 1 / LARGEST);
}

void axis_range_add(struct axis_range *range, enum svg_scale scale, double value)
{
	if (!axis_can_show(scale, value))
		return;
	if (range->least > range->most) {
		*range = (struct axis_range){ value, value };
		return;
	}
	range->least = fmin(range->least, value);
	range->most = fmax(range->most, value);
}

static double transformed(enum svg_scale scale, double value)
{
	return scale == SVG_LINEAR ? value : scale == SVG_LOG ? log10(value) : log2(value);
}

/* 1, 2 or 5 times a power of ten: the next below (or at) a positive value, or above it. */
static double round_125(double value, bool up)
{
	static const double factors[] = { 1, 2, 5, 10 };
	double power = pow(10, floor(log10(value)));
	double best = up ? 10 * power : power;

	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		double candidate = factors[i] * power;

		/* What was rounded before must stay as it is: a little tolerance. */
		if (up && candidate >= value * (1 - 1e-9))
			return candidate;
		if (!up && candidate <= value * (1 + 1e-9))
			best = candidate;
	}
	return best;
}

/* The distance of ticks on a linear axis. */
static double linear_step(enum svg_unit unit, double span, int wanted)
{
	static const double times[] = { 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400 };
	double step = span / wanted;

	if (unit == SVG_BYTES && step > 1)
		return exp2(ceil(log2(step)));
	if (unit == SVG_SECONDS && step > 10) {
		for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
			if (times[i] >= step)
				return times[i];
	}
	return round_125(step, true);
}

static void fit_linear(struct axis_map *map, bool from_zero)
{
	double step;

	if (from_zero && map->low > 0)
		map->low = 0;
	if (!(map->high > map->low))
		map->high = map->low + (map->low != 0 ? fabs(map->low) : 1);
	if (!from_zero)
		return;
	step = linear_step(map->unit, map->high - map->low, 6);
	map->low = floor(map->low / step) * step;
	map->high = ceil(map->high / step - 1e-9) * step;
}

static void fit_logarithmic(struct axis_map *map)
{
	if (map->scale == SVG_LOG2) {
		map->low = exp2(floor(log2(map->low)));
		map->high = exp2(ceil(log2(map->high)));
	} else {
		map->low = round_125(map->low, false);
		map->high = round_125(map->high, true);
	}
	if (!(map->high > map->low))
		map->high = map->low * (map->scale == SVG_LOG2 ? 2 : 10);
}

void axis_fit(struct axis_map *map, const struct svg_axis *axis, const struct axis_range *range, bool from_zero)
{
	bool given = axis->minimum < axis->maximum && axis_can_show(axis->scale, axis->minimum) &&
		     axis_can_show(axis->scale, axis->maximum);

	map->scale = axis->scale;
	map->unit = axis->unit;
	if (given) {
		map->low = axis->minimum;
		map->high = axis->maximum;
		return;
	}
	map->low = range->least <= range->most ? range->least : axis->scale == SVG_LINEAR ? 0 : 1;
	map->high = range->least <= range->most ? range->most : axis->scale == SVG_LINEAR ? 1 : 10;
	if (axis->scale == SVG_LINEAR)
		fit_linear(map, from_zero);
	else
		fit_logarithmic(map);
}

double axis_place(const struct axis_map *map, double value)
{
	double low = transformed(map->scale, map->low), high = transformed(map->scale, map->high);

	return map->from + (transformed(map->scale, value) - low) / (high - low) * (map->to - map->from);
}

static size_t linear_ticks(const struct axis_map *map, int wanted, double ticks[AXIS_TICKS_MAX])
{
	double step = linear_step(map->unit, map->high - map->low, wanted);
	double first = ceil(map->low / step - 1e-9);
	size_t count = 0;

	for (; count < AXIS_TICKS_MAX; count++) {
		double value = (first + (double)count) * step;

		if (value > map->high + step * 1e-6)
			break;
		ticks[count] = value;
	}
	return count;
}

static size_t logarithmic_ticks(const struct axis_map *map, int wanted, double ticks[AXIS_TICKS_MAX])
{
	static const double between[] = { 1, 2, 5 };
	double base = map->scale == SVG_LOG2 ? 2 : 10;
	double first = floor(transformed(map->scale, map->low) + 1e-9);
	double last = ceil(transformed(map->scale, map->high) - 1e-9);
	size_t nr_between = map->scale == SVG_LOG && last - first <= 3 ? 3 : 1;
	double stride = fmax(1, ceil((last - first) / fmax(wanted, 1)));
	size_t count = 0;

	for (int step = 0; first + step * stride <= last; step++) {
		for (size_t i = 0; i < nr_between && count < AXIS_TICKS_MAX; i++) {
			double value = pow(base, first + step * stride) * between[i];

			if (value >= map->low * (1 - 1e-9) && value <= map->high * (1 + 1e-9))
				ticks[count++] = value;
		}
	}
	return count;
}

size_t axis_ticks(const struct axis_map *map, int wanted, double ticks[AXIS_TICKS_MAX])
{
	return map->scale == SVG_LINEAR ? linear_ticks(map, wanted, ticks) : logarithmic_ticks(map, wanted, ticks);
}

/* A unit is used from `from` on; values are divided by `divisor`. */
struct unit_step {
	double from, divisor;
	const char *name;
};

static const struct unit_step number_steps[] = { { 1e12, 1e12, " T" }, { 1e9, 1e9, " G" }, { 1e6, 1e6, " M" },
						 { 1e3, 1e3, " k" },   { 0, 1, "" },	   { -1, 0, NULL } };
static const struct unit_step second_steps[] = { { 7200, 3600, " h" },	{ 120, 60, " min" },   { 1, 1, " s" },
						 { 1e-3, 1e-3, " ms" }, { 1e-6, 1e-6, " us" }, { 0, 1e-9, " ns" },
						 { -1, 0, NULL } };
static const struct unit_step byte_steps[] = { { 0x1p50, 0x1p50, " PiB" },
					       { 0x1p40, 0x1p40, " TiB" },
					       { 0x1p30, 0x1p30, " GiB" },
					       { 0x1p20, 0x1p20, " MiB" },
					       { 0x1p10, 0x1p10, " KiB" },
					       { 0, 1, " B" },
					       { -1, 0, NULL } };
static const struct unit_step rate_steps[] = { { 1e12, 1e12, " TB/s" }, { 1e9, 1e9, " GB/s" }, { 1e6, 1e6, " MB/s" },
					       { 1e3, 1e3, " kB/s" },	{ 0, 1, " B/s" },      { -1, 0, NULL } };
static const struct unit_step percent_steps[] = { { 0, 1, " %" }, { -1, 0, NULL } };

static const struct unit_step *steps_of(enum svg_unit unit)
{
	switch (unit) {
	case SVG_SECONDS:
		return second_steps;
	case SVG_BYTES:
		return byte_steps;
	case SVG_BYTES_PER_SECOND:
		return rate_steps;
	case SVG_PERCENT:
		return percent_steps;
	case SVG_NUMBER:
		break;
	}
	return number_steps;
}

/* "1.50" and "2.00" are "1.5" and "2". */
static void strip_zeros(char *text)
{
	size_t length = strlen(text);

	if (!strchr(text, '.'))
		return;
	while (text[length - 1] == '0')
		text[--length] = '\0';
	if (text[length - 1] == '.')
		text[length - 1] = '\0';
}

const char *svg_value(char text[SVG_VALUE_SIZE], double value, enum svg_unit unit)
{
	const struct unit_step *step = steps_of(unit);
	double size = fabs(value);
	char number[SVG_VALUE_SIZE - 8];

	if (!isfinite(value)) {
		(void)snprintf(text, SVG_VALUE_SIZE, "-");
		return text;
	}
	while (step[1].name && size < step->from * (1 - 1e-9))
		step++;
	size /= step->divisor;
	if (size >= 1e15 || (size > 0 && size < 0.01)) {
		(void)snprintf(number, sizeof(number), "%.2e", value / step->divisor);
	} else {
		(void)snprintf(number, sizeof(number), "%.*f",
			       size >= 99.95   ? 0
			       : size >= 9.995 ? 1
					       : 2,
			       value / step->divisor);
		strip_zeros(number);
	}
	(void)snprintf(text, SVG_VALUE_SIZE, "%s%s", number, size > 0 ? step->name : "");
	return text;
}
