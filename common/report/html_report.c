/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the page; see html_report.h.
 */
#include "html_report.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>

#include "report_text.h"

#define PARAGRAPH_SIZE 4096

static const char style[] =
	":root{color-scheme:light dark}\n"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;"
	"color:#1f2328;background:#fff}\n"
	"h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2rem}h3,h4{font-size:1.05rem}\n"
	"table{border-collapse:collapse;margin:1rem 0;font-size:.9rem;display:block;overflow-x:auto}\n"
	"caption{text-align:left;font-weight:600;padding:.3rem 0}\n"
	"th,td{padding:.25rem .7rem;border-bottom:1px solid #d0d7de;text-align:left;white-space:nowrap}\n"
	"td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
	"figure{margin:1rem 0}figcaption{font-size:.85rem;color:#57606a}\n"
	"pre{overflow-x:auto;padding:.6rem;background:#f6f8fa;font-size:.85rem}\n"
	"@media (prefers-color-scheme:dark){body{color:#d8dee4;background:#16191d}"
	"th,td{border-color:#3a4149}figcaption{color:#9aa4ae}pre{background:#1f242a}}\n";

void html_report_begin(FILE *to, const char *title)
{
	(void)fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
		    "<meta charset=\"utf-8\"/>\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
		    to);
	report_text(to, title);
	(void)fprintf(to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
	html_heading(to, 1, title);
}

int html_report_end(FILE *to)
{
	(void)fputs("</body>\n</html>\n", to);
	return fflush(to) || ferror(to) ? -1 : 0;
}

void html_heading(FILE *to, int level, const char *text)
{
	(void)fprintf(to, "<h%d>", level);
	report_text(to, text);
	(void)fprintf(to, "</h%d>\n", level);
}

void html_paragraph(FILE *to, const char *format, ...)
{
	char text[PARAGRAPH_SIZE];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(text, sizeof(text), format, arguments) < 0)
		text[0] = '\0';
	va_end(arguments);
	(void)fputs("<p>", to);
	report_text(to, text);
	(void)fputs("</p>\n", to);
}

void html_preformatted(FILE *to, const char *text)
{
	(void)fputs("<pre>", to);
	report_text(to, text);
	(void)fputs("</pre>\n", to);
}

static bool is_number(const char *cell)
{
	if (*cell == '-' || *cell == '+')
		cell++;
	return isdigit((unsigned char)*cell) != 0;
}

void html_table_begin(FILE *to, const char *caption, const char *const columns[], size_t count)
{
	(void)fputs("<table>\n", to);
	if (caption) {
		(void)fputs("<caption>", to);
		report_text(to, caption);
		(void)fputs("</caption>\n", to);
	}
	(void)fputs("<thead><tr>", to);
	for (size_t i = 0; i < count; i++) {
		(void)fputs("<th>", to);
		report_text(to, columns[i]);
		(void)fputs("</th>", to);
	}
	(void)fputs("</tr></thead>\n<tbody>\n", to);
}

void html_table_row(FILE *to, const char *const cells[], size_t count)
{
	(void)fputs("<tr>", to);
	for (size_t i = 0; i < count; i++) {
		(void)fputs(is_number(cells[i]) ? "<td class=\"n\">" : "<td>", to);
		report_text(to, cells[i]);
		(void)fputs("</td>", to);
	}
	(void)fputs("</tr>\n", to);
}

void html_table_end(FILE *to)
{
	(void)fputs("</tbody>\n</table>\n", to);
}

void html_figure_begin(FILE *to)
{
	(void)fputs("<figure>\n", to);
}

void html_figure_end(FILE *to, const char *caption)
{
	if (caption) {
		(void)fputs("<figcaption>", to);
		report_text(to, caption);
		(void)fputs("</figcaption>\n", to);
	}
	(void)fputs("</figure>\n", to);
}
