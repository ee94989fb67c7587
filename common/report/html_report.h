/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One self-contained HTML page: headings, paragraphs, tables, and plots of svg_plot.h between
 * html_figure_begin() and html_figure_end(). The page is well-formed XML too, so that any XML tool can check it.
 * Its style is inside; nothing is fetched, no script runs. Every text is escaped here.
 *
 * Only html_report_end() tells whether all could be written. Any thread, one a page.
 */
#ifndef REPORT_HTML_REPORT_H
#define REPORT_HTML_REPORT_H

#include <stddef.h>
#include <stdio.h>

void html_report_begin(FILE *to, const char *title);

/* Ends the page and flushes the stream. 0, or -1 when anything of the page could not be written. */
int html_report_end(FILE *to);

/* level: 1 to 4. html_report_begin() has written the title as level 1. */
void html_heading(FILE *to, int level, const char *text);
void html_paragraph(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text as it is, with its lines and spaces: a command, a log. */
void html_preformatted(FILE *to, const char *text);

/* caption may be NULL. A cell that begins with a digit, or a sign and a digit, is set to the right. */
void html_table_begin(FILE *to, const char *caption, const char *const columns[], size_t count);
void html_table_row(FILE *to, const char *const cells[], size_t count);
void html_table_end(FILE *to);

/* Between the two: one call of svg_plot.h. caption may be NULL. */
void html_figure_begin(FILE *to);
void html_figure_end(FILE *to, const char *caption);

#endif
