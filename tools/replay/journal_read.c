/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a journal; see journal.h. It may have been cut anywhere by a crash: it ends at the first record
 * that is not whole. What is whole is still checked before it is used.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "journal.h"
#include "journal_format.h"

struct input {
	FILE *file;
	const char *name;
	struct journal_header header;
};

static int open_input(struct input *input, const char *name, struct diagnostic *diagnostic)
{
	*input = (struct input){ .file = fopen(name, "re"), .name = name };
	if (!input->file)
		return diagnostic_set(diagnostic, "journal %s: %s", name, strerror(errno));
	if (fread(&input->header, sizeof(input->header), 1, input->file) != 1 ||
	    le64toh(input->header.magic) != JOURNAL_MAGIC)
		diagnostic_set(diagnostic, "%s is not a journal of rdisk-replay", name);
	else if (le64toh(input->header.check) != XXH3_64bits(&input->header, offsetof(struct journal_header, check)))
		diagnostic_set(diagnostic, "journal %s: its header is damaged", name);
	else if (le32toh(input->header.version) != JOURNAL_VERSION || le32toh(input->header.block) != LEDGER_BLOCK)
		diagnostic_set(diagnostic, "journal %s: its version, %" PRIu32 ", is not known here", name,
			       le32toh(input->header.version));
	else if (fseek(input->file, JOURNAL_HEADER_SIZE, SEEK_SET))
		diagnostic_set(diagnostic, "journal %s: %s", name, strerror(errno));
	else
		return 0;
	(void)fclose(input->file);
	return -1;
}

/* The next record in this machine's byte order, without its check. 1; 0: the end; -1 and *diagnostic. */
static int next_record(const struct input *input, struct journal_record *record, struct diagnostic *diagnostic)
{
	uint64_t check;

	if (fread(record, sizeof(*record), 1, input->file) != 1)
		return ferror(input->file) ? diagnostic_set(diagnostic, "journal %s: cannot be read: %s", input->name,
							    strerror(errno))
					   : 0;
	check = le64toh(record->length) >> JOURNAL_CHECK_SHIFT;
	if (record->kind == 0 || check != journal_record_check(record))
		return 0;
	record->kind = le32toh(record->kind);
	record->flags = le32toh(record->flags);
	record->position = le64toh(record->position);
	record->length = le64toh(record->length) & JOURNAL_LENGTH_MAX;
	record->sequence = le32toh(record->sequence);
	record->floor = le32toh(record->floor);
	return 1;
}

int journal_read(const char *name, struct journal_summary *summary, struct diagnostic *diagnostic)
{
	struct journal_record record;
	struct input input;
	int got;

	if (open_input(&input, name, diagnostic))
		return -1;
	*summary = (struct journal_summary){ .seed = le64toh(input.header.seed), .size = le64toh(input.header.size) };
	while ((got = next_record(&input, &record, diagnostic)) > 0) {
		summary->answers += record.kind == JOURNAL_ANSWERED;
		summary->stable += record.kind == JOURNAL_ANSWERED && record.flags & JOURNAL_STABLE;
		if (record.kind == JOURNAL_FLUSHED && record.position > summary->covered)
			summary->covered = record.position;
		summary->ended |= record.kind == JOURNAL_ENDED;
	}
	(void)fclose(input.file);
	if (got == 0 && summary->covered > summary->answers)
		return diagnostic_set(diagnostic, "journal %s: a flush covers more than was answered: it is damaged",
				      name);
	return got;
}

/* A change's record into the ledger. certain: nothing before it can be there any more. */
static int apply(const struct input *input, const struct journal_record *record, bool certain, struct ledger *ledger,
		 struct diagnostic *diagnostic)
{
	uint32_t change = record->flags >> JOURNAL_CHANGE_SHIFT;
	uint64_t size = ledger->blocks * LEDGER_BLOCK;

	if (change > LEDGER_DISCARD || record->position % LEDGER_BLOCK || record->length % LEDGER_BLOCK ||
	    record->position > size || record->length > size - record->position || record->sequence == 0 ||
	    record->sequence > LEDGER_SEQUENCE_MAX || record->floor > record->sequence)
		return diagnostic_set(diagnostic, "journal %s: change %" PRIu32 " makes no sense: it is damaged",
				      input->name, record->sequence);
	ledger_begin(ledger, record->position, record->length, record->sequence, (enum ledger_change)change);
	if (record->kind == JOURNAL_ANSWERED && certain)
		ledger_answer(ledger, record->position, record->length, record->floor, (enum ledger_change)change,
			      record->flags & JOURNAL_RACED);
	return 0;
}

int journal_load(const char *name, bool covered_only, struct ledger *ledger, struct diagnostic *diagnostic)
{
	struct journal_summary summary;
	struct journal_record record;
	struct input input;
	uint64_t answers = 0;
	int got;

	if (journal_read(name, &summary, diagnostic) || open_input(&input, name, diagnostic))
		return -1;
	while ((got = next_record(&input, &record, diagnostic)) > 0) {
		bool certain = !covered_only || answers < summary.covered || record.flags & JOURNAL_STABLE;

		if (record.kind != JOURNAL_BEGUN && record.kind != JOURNAL_ANSWERED)
			continue;
		if (apply(&input, &record, certain, ledger, diagnostic)) {
			got = -1;
			break;
		}
		answers += record.kind == JOURNAL_ANSWERED;
	}
	(void)fclose(input.file);
	return got;
}
