/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws the plots; see svg_plot.h. Each plot is: a frame with title, legend, grid and ticks, then the data.
 * Colours are classes of a style inside the picture, so that a dark screen can have other ones.
 */
#include "svg_plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"
#include "svg_axis.h"

#define DEFAULT_WIDTH  760
#define DEFAULT_HEIGHT 360
#define NR_COLOURS     8
#define CHARACTER      6.6 /* pixels that one takes in the font of the ticks and the legend, about */
#define LINE_HEIGHT    18
#define MARKED_POINTS  60
#define LINE_PIECES    800 /* pieces of a long line; each is drawn with its highest and its lowest point */
#define PLACE	       2   /* pixels: points of a cloud that are nearer are one */

struct canvas {
	FILE *to;
	const struct svg_plot *plot;
	int width, height;
	double left, right, top, bottom; /* of the area of data */
	struct axis_map x, y;
};

static const char style[] =
	"<style>.rp .b{fill:#fff}.rp text{font:12px system-ui,sans-serif;fill:#1f2328}.rp .t{font-size:14px;"
	"font-weight:600}.rp .g{stroke:#dfe3e8;fill:none}.rp .a{stroke:#8b949e;fill:none}"
	".rp .l{fill:none;stroke-width:1.6;stroke-linejoin:round;"
	"stroke-linecap:round}.rp .p{fill:none;stroke-width:2.4;"
	"stroke-linecap:round;stroke-opacity:.7}.rp .h{fill-opacity:.2;stroke-width:1.4}.rp "
	".w{stroke:#57606a;fill:none}"
	".rp .s0{stroke:#2f7fd1}.rp .s1{stroke:#d9730d}.rp .s2{stroke:#2f9e62}.rp .s3{stroke:#c2508f}"
	".rp .s4{stroke:#8066cc}.rp .s5{stroke:#1f9fb0}.rp .s6{stroke:#97891a}.rp .s7{stroke:#80868d}"
	".rp .f0{fill:#2f7fd1}.rp .f1{fill:#d9730d}.rp .f2{fill:#2f9e62}.rp .f3{fill:#c2508f}"
	".rp .f4{fill:#8066cc}.rp .f5{fill:#1f9fb0}.rp .f6{fill:#97891a}.rp .f7{fill:#80868d}"
	"@media (prefers-color-scheme:dark){.rp .b{fill:#16191d}.rp text{fill:#d8dee4}.rp .g{stroke:#2c3239}"
	".rp .w{stroke:#aab2ba}}</style>\n";

static unsigned int colour(size_t series)
{
	return (unsigned int)(series % NR_COLOURS);
}

/* Series beyond the colours are told apart by their dashes. */
static const char *dashes(size_t series)
{
	return series < NR_COLOURS	 ? ""
	       : series < 2 * NR_COLOURS ? " stroke-dasharray=\"6 4\""
					 : " stroke-dasharray=\"2 3\"";
}

static void text_at(const struct canvas *canvas, double x, double y, const char *attributes, const char *text)
{
	(void)fprintf(canvas->to, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, attributes);
	report_text(canvas->to, text);
	(void)fputs("</text>\n", canvas->to);
}

static double text_width(const char *text)
{
	return CHARACTER * (double)strlen(text);
}

static void begin(struct canvas *canvas, FILE *to, const struct svg_plot *plot)
{
	*canvas = (struct canvas){
		.to = to,
		.plot = plot,
		.width = plot->width > 0 ? plot->width : DEFAULT_WIDTH,
		.height = plot->height > 0 ? plot->height : DEFAULT_HEIGHT,
		.top = 12,
	};
	(void)fprintf(to,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rp\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		      "height=\"%d\" "
		      "style=\"max-width:100%%;height:auto\" role=\"img\">\n",
		      canvas->width, canvas->height, canvas->width, canvas->height);
	if (plot->title) {
		(void)fputs("<title>", to);
		report_text(to, plot->title);
		(void)fputs("</title>\n", to);
	}
	(void)fputs(style, to);
	(void)fputs("<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n", to);
	if (plot->title) {
		canvas->top += LINE_HEIGHT + 4;
		text_at(canvas, 8, canvas->top - 8, " class=\"t\"", plot->title);
	}
}

static int end(const struct canvas *canvas)
{
	(void)fputs("</svg>\n", canvas->to);
	return ferror(canvas->to) ? -1 : 0;
}

/* One entry of the legend, at *x of the row above canvas->top; goes to the next row when the row is full. */
static void legend_entry(struct canvas *canvas, double *x, size_t series, const char *name)
{
	double width = text_width(name) + 38;

	if (*x == 0 || *x + width > canvas->width) {
		*x = 12;
		canvas->top += LINE_HEIGHT;
	}
	(void)fprintf(canvas->to, "<path class=\"s%u\" stroke-width=\"3\"%s d=\"M%.1f %.1fh18\"/>\n", colour(series),
		      dashes(series), *x, canvas->top - 10);
	text_at(canvas, *x + 24, canvas->top - 6, "", name);
	*x += width;
}

/* The ticks of y decide how much room there is to the left; those of x are drawn where they fit. */
static void draw_y(struct canvas *canvas)
{
	double ticks[AXIS_TICKS_MAX];
	char text[SVG_VALUE_SIZE];
	size_t count;
	double widest = 0;

	canvas->bottom = canvas->height - 2 * LINE_HEIGHT - (canvas->plot->x.label ? LINE_HEIGHT : 0) + 12;
	canvas->top += 8;
	canvas->y.from = canvas->bottom;
	canvas->y.to = canvas->top;
	count = axis_ticks(&canvas->y, canvas->height / 45, ticks);
	for (size_t i = 0; i < count; i++)
		widest = fmax(widest, text_width(svg_value(text, ticks[i], canvas->y.unit)));
	canvas->left = widest + 14 + (canvas->plot->y.label ? LINE_HEIGHT : 0);
	canvas->right = canvas->width - 22;
	for (size_t i = 0; i < count; i++) {
		double y = axis_place(&canvas->y, ticks[i]);

		(void)fprintf(canvas->to, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>\n", canvas->left, y,
			      canvas->right);
		text_at(canvas, canvas->left - 6, y + 4, " text-anchor=\"end\"",
			svg_value(text, ticks[i], canvas->y.unit));
	}
	if (canvas->plot->y.label) {
		double middle = (canvas->top + canvas->bottom) / 2;
		char attributes[96];

		(void)snprintf(attributes, sizeof(attributes),
			       " text-anchor=\"middle\" transform=\"rotate(-90 14 %.1f)\"", middle);
		text_at(canvas, 14, middle, attributes, canvas->plot->y.label);
	}
}

static void draw_x_label(const struct canvas *canvas)
{
	if (canvas->plot->x.label)
		text_at(canvas, (canvas->left + canvas->right) / 2, canvas->height - 8, " text-anchor=\"middle\"",
			canvas->plot->x.label);
	(void)fprintf(canvas->to, "<path class=\"a\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", canvas->left, canvas->top,
		      canvas->bottom, canvas->right);
}

static void draw_x(struct canvas *canvas)
{
	double ticks[AXIS_TICKS_MAX];
	char text[SVG_VALUE_SIZE];
	size_t count;
	double free_from = 0;

	canvas->x.from = canvas->left;
	canvas->x.to = canvas->right;
	count = axis_ticks(&canvas->x, canvas->width / 90, ticks);
	for (size_t i = 0; i < count; i++) {
		double x = axis_place(&canvas->x, ticks[i]);
		double half = text_width(svg_value(text, ticks[i], canvas->x.unit)) / 2;

		(void)fprintf(canvas->to, "<path class=\"g\" d=\"M%.1f %.1fV%.1f\"/>\n", x, canvas->top,
			      canvas->bottom);
		if (x - half < free_from)
			continue;
		text_at(canvas, x, canvas->bottom + 16, " text-anchor=\"middle\"", text);
		free_from = x + half + 6;
	}
	draw_x_label(canvas);
}

/* The frame of a plot of points. */
static void draw_frame(struct canvas *canvas, FILE *to, const struct svg_plot *plot, const struct svg_series *series,
		       size_t count)
{
	struct axis_range x = AXIS_RANGE_NONE, y = AXIS_RANGE_NONE;
	double at = 0;

	begin(canvas, to, plot);
	for (size_t s = 0; s < count; s++) {
		if (series[s].name)
			legend_entry(canvas, &at, s, series[s].name);
		for (size_t i = 0; i < series[s].count; i++) {
			if (!axis_can_show(plot->x.scale, series[s].x[i]) ||
			    !axis_can_show(plot->y.scale, series[s].y[i]))
				continue;
			axis_range_add(&x, plot->x.scale, series[s].x[i]);
			axis_range_add(&y, plot->y.scale, series[s].y[i]);
		}
	}
	axis_fit(&canvas->x, &plot->x, &x, false);
	axis_fit(&canvas->y, &plot->y, &y, true);
	draw_y(canvas);
	draw_x(canvas);
	if (x.least > x.most)
		text_at(canvas, (canvas->left + canvas->right) / 2, (canvas->top + canvas->bottom) / 2,
			" text-anchor=\"middle\"", "no data");
}

static bool can_show(const struct canvas *canvas, const struct svg_series *series, size_t i)
{
	return axis_can_show(canvas->x.scale, series->x[i]) && axis_can_show(canvas->y.scale, series->y[i]);
}

static double clamp(double value, double least, double most)
{
	return fmin(fmax(value, least), most);
}

static double place_x(const struct canvas *canvas, double value)
{
	return clamp(axis_place(&canvas->x, value), canvas->left, canvas->right);
}

static double place_y(const struct canvas *canvas, double value)
{
	return clamp(axis_place(&canvas->y, value), canvas->top, canvas->bottom);
}

/* What of points [from, to) is drawn: all of a short piece, else its first lowest and highest in their order. */
static size_t choose_points(const struct svg_series *series, size_t from, size_t to, size_t chosen[2])
{
	size_t low = from, high = from;

	for (size_t i = from + 1; i < to; i++) {
		if (!isfinite(series->y[i]))
			continue;
		if (!isfinite(series->y[low]) || series->y[i] < series->y[low])
			low = i;
		if (!isfinite(series->y[high]) || series->y[i] > series->y[high])
			high = i;
	}
	chosen[0] = low < high ? low : high;
	chosen[1] = low < high ? high : low;
	return low == high ? 1 : 2;
}

static void draw_line(const struct canvas *canvas, const struct svg_series *series, size_t number)
{
	size_t step = series->count > 2 * LINE_PIECES ? (series->count + LINE_PIECES - 1) / LINE_PIECES : 1;
	bool drawing = false;

	(void)fprintf(canvas->to, "<path class=\"l s%u\"%s d=\"", colour(number), dashes(number));
	for (size_t from = 0; from < series->count; from += step) {
		size_t to = step < series->count - from ? from + step : series->count;
		size_t chosen[2];
		size_t count = choose_points(series, from, to, chosen);

		for (size_t c = 0; c < count; c++) {
			size_t i = chosen[c];

			if (!can_show(canvas, series, i)) {
				drawing = false;
				continue;
			}
			/* h0: a point between two gaps is seen as a dot. */
			(void)fprintf(canvas->to, drawing ? "L%.1f %.1f" : "M%.1f %.1fh0",
				      place_x(canvas, series->x[i]), place_y(canvas, series->y[i]));
			drawing = true;
		}
	}
	(void)fputs("\"/>\n", canvas->to);
}

/* Whether there are so few points that each is marked: what lies between gaps is hardly seen otherwise. */
static bool has_few_points(const struct canvas *canvas, const struct svg_series *series)
{
	size_t shown = 0;

	for (size_t i = 0; i < series->count && shown <= MARKED_POINTS; i++)
		shown += can_show(canvas, series, i);
	return shown <= MARKED_POINTS;
}

/* Dots that say their values to who points at them. */
static void draw_marks(const struct canvas *canvas, const struct svg_series *series, size_t number)
{
	char x[SVG_VALUE_SIZE], y[SVG_VALUE_SIZE];

	for (size_t i = 0; i < series->count; i++) {
		if (!can_show(canvas, series, i))
			continue;
		(void)fprintf(canvas->to, "<circle class=\"f%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>",
			      colour(number), place_x(canvas, series->x[i]), place_y(canvas, series->y[i]));
		report_text(canvas->to, series->name ? series->name : "");
		(void)fprintf(canvas->to, " %s: %s</title></circle>\n", svg_value(x, series->x[i], canvas->x.unit),
			      svg_value(y, series->y[i], canvas->y.unit));
	}
}

int svg_lines(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count)
{
	struct canvas canvas;

	draw_frame(&canvas, to, plot, series, count);
	for (size_t s = 0; s < count; s++) {
		draw_line(&canvas, &series[s], s);
		if (has_few_points(&canvas, &series[s]))
			draw_marks(&canvas, &series[s], s);
	}
	return end(&canvas);
}

/* The area of data as a bitmap of places, so that points one over the other are drawn once. */
struct places {
	size_t columns, rows;
	unsigned char *taken;
};

/* Index of a point's place, or SIZE_MAX: it is outside. */
static size_t place_of(const struct canvas *canvas, const struct places *places, const struct svg_series *series,
		       size_t i)
{
	double x, y;

	if (!can_show(canvas, series, i))
		return SIZE_MAX;
	x = (axis_place(&canvas->x, series->x[i]) - canvas->left) / PLACE;
	y = (axis_place(&canvas->y, series->y[i]) - canvas->top) / PLACE;
	if (!(x >= 0 && y >= 0 && x < (double)places->columns && y < (double)places->rows))
		return SIZE_MAX;
	return (size_t)y * places->columns + (size_t)x;
}

/* 32 bits that have nothing to do with a place's row or column, so that the places chosen by them show no pattern. */
static uint64_t place_hash(uint64_t place)
{
	place = (place ^ place >> 16) * UINT64_C(0x9e3779b97f4a7c15);
	place = (place ^ place >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return place >> 32;
}

/* Draws the places of one series that an even choice, `share` of 2^32, takes. */
static void draw_cloud(const struct canvas *canvas, const struct places *places, size_t number, uint64_t share)
{
	(void)fprintf(canvas->to, "<path class=\"p s%u\" d=\"", colour(number));
	for (size_t i = 0; i < places->columns * places->rows; i++) {
		uint64_t hash = place_hash(i);

		size_t column = i % places->columns, row = i / places->columns;

		if (places->taken[i] == 1 && hash < share)
			(void)fprintf(canvas->to, "M%.0f %.0fh0", canvas->left + (double)column * PLACE + PLACE / 2.0,
				      canvas->top + (double)row * PLACE + PLACE / 2.0);
	}
	(void)fputs("\"/>\n", canvas->to);
}

int svg_scatter(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count)
{
	struct canvas canvas;
	struct places places;
	size_t size;

	draw_frame(&canvas, to, plot, series, count);
	places.columns = (size_t)((canvas.right - canvas.left) / PLACE) + 1;
	places.rows = (size_t)((canvas.bottom - canvas.top) / PLACE) + 1;
	size = places.columns * places.rows;
	places.taken = malloc(size);
	if (!places.taken)
		return -1;
	for (size_t s = 0; s < count; s++) {
		size_t marks = 0, most = SVG_SCATTER_POINTS / count;

		memset(places.taken, 0, size);
		for (size_t i = 0; i < series[s].count; i++) {
			size_t at = place_of(&canvas, &places, &series[s], i);

			if (at == SIZE_MAX || places.taken[at])
				continue;
			places.taken[at] = 1;
			marks++;
		}
		/* An eighth less than what would fit, for an uneven hash. */
		draw_cloud(&canvas, &places, s,
			   marks <= most ? UINT64_C(1) << 32 : (most - most / 8) * (UINT64_C(1) << 32) / marks);
	}
	free(places.taken);
	return end(&canvas);
}

static void bars_range(const struct svg_bars *series, size_t count, size_t nr_groups, enum svg_scale scale,
		       struct axis_range *range)
{
	for (size_t s = 0; s < count; s++) {
		for (size_t g = 0; g < nr_groups; g++) {
			axis_range_add(range, scale, series[s].values[g]);
			if (series[s].low)
				axis_range_add(range, scale, series[s].low[g]);
			if (series[s].high)
				axis_range_add(range, scale, series[s].high[g]);
		}
	}
	/* The smallest bar of a logarithmic plot must be seen as well. */
	if (scale != SVG_LINEAR && range->least <= range->most)
		range->least /= 2;
}

static void draw_bar(const struct canvas *canvas, const struct svg_bars *series, size_t number, const char *group,
		     size_t g, double x, double width)
{
	char text[SVG_VALUE_SIZE];
	double y, base, zero = canvas->y.scale == SVG_LINEAR ? 0 : canvas->y.low;

	if (!axis_can_show(canvas->y.scale, series->values[g]))
		return;
	y = place_y(canvas, series->values[g]);
	base = place_y(canvas, zero);
	(void)fprintf(canvas->to, "<rect class=\"f%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"%s><title>",
		      colour(number), x, fmin(y, base), width, fabs(base - y),
		      number < NR_COLOURS ? "" : " fill-opacity=\".55\"");
	report_text(canvas->to, group);
	(void)fputs(", ", canvas->to);
	report_text(canvas->to, series->name ? series->name : "");
	(void)fprintf(canvas->to, ": %s</title></rect>\n", svg_value(text, series->values[g], canvas->y.unit));
	if (series->low && series->high && axis_can_show(canvas->y.scale, series->low[g]) &&
	    axis_can_show(canvas->y.scale, series->high[g]))
		(void)fprintf(canvas->to, "<path class=\"w\" d=\"M%.1f %.1fV%.1f\"/>\n", x + width / 2,
			      place_y(canvas, series->low[g]), place_y(canvas, series->high[g]));
}

/* Under each group its name; leaning when the names are too long for a row. */
static void draw_groups(const struct canvas *canvas, const char *const groups[], size_t nr_groups, bool leaning)
{
	double room = (canvas->right - canvas->left) / (double)nr_groups;

	for (size_t g = 0; g < nr_groups; g++) {
		double x = canvas->left + room * ((double)g + 0.5), y = canvas->bottom + 16;
		char attributes[96];

		if (leaning)
			(void)snprintf(attributes, sizeof(attributes),
				       " text-anchor=\"end\" transform=\"rotate(-30 %.1f %.1f)\"", x, y);
		else
			(void)snprintf(attributes, sizeof(attributes), " text-anchor=\"middle\"");
		text_at(canvas, x, y, attributes, groups[g]);
	}
}

int svg_bars(FILE *to, const struct svg_plot *plot, const char *const groups[], size_t nr_groups,
	     const struct svg_bars *series, size_t count)
{
	struct axis_range range = AXIS_RANGE_NONE;
	struct canvas canvas;
	double at = 0, widest = 0, room, width, height;
	bool leaning;

	begin(&canvas, to, plot);
	for (size_t s = 0; s < count; s++) {
		if (series[s].name)
			legend_entry(&canvas, &at, s, series[s].name);
	}
	for (size_t g = 0; g < nr_groups; g++)
		widest = fmax(widest, text_width(groups[g]));
	leaning = widest > (canvas.width - 100.0) / (double)(nr_groups ? nr_groups : 1) - 4;
	bars_range(series, count, nr_groups, plot->y.scale, &range);
	axis_fit(&canvas.y, &plot->y, &range, true);
	height = canvas.height;
	if (leaning)
		canvas.height -= (int)fmin(widest * 0.5, height / 3);
	draw_y(&canvas);
	canvas.height = (int)height;
	room = (canvas.right - canvas.left) / (double)(nr_groups ? nr_groups : 1);
	width = room * 0.8 / (double)(count ? count : 1);
	for (size_t g = 0; g < nr_groups; g++)
		for (size_t s = 0; s < count; s++)
			draw_bar(&canvas, &series[s], s, groups[g], g,
				 canvas.left + room * ((double)g + 0.1) + width * (double)s, width * 0.94);
	draw_groups(&canvas, groups, nr_groups, leaning);
	draw_x_label(&canvas);
	return end(&canvas);
}

static double samples_at(const struct svg_series *series, size_t i)
{
	double samples = series->y ? series->y[i] : 1;

	return isfinite(samples) && samples > 0 ? samples : 0;
}

int svg_cumulative(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count)
{
	struct svg_series *shares = calloc(count ? count : 1, sizeof(*shares));
	struct svg_plot percent = *plot;
	int status = -1;

	if (!shares)
		return -1;
	percent.y.unit = SVG_PERCENT;
	percent.y.scale = SVG_LINEAR;
	percent.y.minimum = 0;
	percent.y.maximum = 100;
	for (size_t s = 0; s < count; s++) {
		double total = 0, below = 0;
		double *share = calloc(series[s].count ? series[s].count : 1, sizeof(*share));

		if (!share)
			goto out;
		for (size_t i = 0; i < series[s].count; i++)
			total += samples_at(&series[s], i);
		for (size_t i = 0; i < series[s].count; i++) {
			below += samples_at(&series[s], i);
			share[i] = total > 0 ? 100 * below / total : NAN;
		}
		shares[s] = (struct svg_series){ series[s].name, series[s].x, share, series[s].count };
	}
	status = svg_lines(to, &percent, shares, count);
out:
	for (size_t s = 0; s < count; s++)
		free((void *)(uintptr_t)shares[s].y);
	free(shares);
	return status;
}

/* One over the other in the order of the series, so they are drawn half transparent. */
static void draw_steps(const struct canvas *canvas, const struct svg_series *series, size_t number)
{
	double width = 4;
	bool drawing = false;

	(void)fprintf(canvas->to, "<path class=\"h s%u f%u\" d=\"", colour(number), colour(number));
	for (size_t i = 0; i < series->count; i++) {
		double x, y = canvas->bottom;

		if (!axis_can_show(canvas->x.scale, series->x[i]))
			continue;
		x = place_x(canvas, series->x[i]);
		if (axis_can_show(canvas->y.scale, series->y[i]))
			y = place_y(canvas, series->y[i]);
		/* The last bin is drawn as wide as the one before. */
		if (i + 1 < series->count)
			width = place_x(canvas, series->x[i + 1]) - x;
		if (!drawing)
			(void)fprintf(canvas->to, "M%.1f %.1f", x, canvas->bottom);
		drawing = true;
		(void)fprintf(canvas->to, "L%.1f %.1fH%.1f", x, y, fmin(x + width, canvas->right));
	}
	if (drawing)
		(void)fprintf(canvas->to, "V%.1fZ", canvas->bottom);
	(void)fputs("\"/>\n", canvas->to);
}

int svg_histogram(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count)
{
	struct canvas canvas;

	draw_frame(&canvas, to, plot, series, count);
	for (size_t s = 0; s < count; s++)
		draw_steps(&canvas, &series[s], s);
	return end(&canvas);
}
