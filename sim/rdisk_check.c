/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-check FILE: checks a history that was written down (history_file.h); "-" is the standard input.
 *
 * Exit: 0 nothing is wrong; 1 something is, it is told on the standard output; 2 usage, or the file is no history; 3
 * some block could not be decided, and nothing else is wrong.
 */
#include <errno.h>
#include <string.h>

#include "checker.h"
#include "history_file.h"

enum outcome { OUTCOME_GOOD, OUTCOME_WRONG, OUTCOME_UNUSABLE, OUTCOME_UNDECIDED };

static int load(struct history *history, const char *path)
{
	bool standard = !strcmp(path, "-");
	FILE *file = standard ? stdin : fopen(path, "re");
	struct history_file_error error;
	int code;

	if (!file) {
		(void)fprintf(stderr, "rdisk-check: %s: cannot be opened: %s\n", path, strerror(errno));
		return -errno;
	}
	code = history_load(history, file, &error);
	if (code && error.line)
		(void)fprintf(stderr, "rdisk-check: %s:%lu: %s\n", path, error.line, error.text);
	else if (code)
		(void)fprintf(stderr, "rdisk-check: %s: %s\n", path, error.text);
	if (!standard)
		(void)fclose(file);
	return code;
}

static enum outcome tell(const struct history *history, const struct checker_report *report)
{
	for (size_t i = 0; i < report->nr_violations; i++)
		(void)printf("%s\n", report->violations[i].text);
	(void)printf("%zu operations, %zu blocks (%zu by search), %zu losses: ", history->nr_ops, report->nr_blocks,
		     report->nr_searched, history->nr_losses);
	if (report->nr_more)
		(void)printf("%zu violations and %zu more, %zu undecided\n", report->nr_violations, report->nr_more,
			     report->nr_undecided);
	else
		(void)printf("%zu violations, %zu undecided\n", report->nr_violations, report->nr_undecided);
	if (report->nr_violations || report->nr_more)
		return OUTCOME_WRONG;
	return report->nr_undecided ? OUTCOME_UNDECIDED : OUTCOME_GOOD;
}

int main(int count, char **words)
{
	struct history history;
	struct checker_report report;
	enum outcome outcome = OUTCOME_UNUSABLE;

	if (count != 2 || (words[1][0] == '-' && words[1][1])) {
		(void)fputs("usage: rdisk-check FILE\n", stderr);
		return OUTCOME_UNUSABLE;
	}
	history_init(&history);
	if (!load(&history, words[1])) {
		if (!checker_run(&history, &report))
			outcome = tell(&history, &report);
		checker_report_destroy(&report);
	}
	history_destroy(&history);
	if (fflush(stdout) || ferror(stdout)) {
		(void)fprintf(stderr, "rdisk-check: cannot write: %s\n", strerror(errno));
		return OUTCOME_UNUSABLE;
	}
	return (int)outcome;
}
