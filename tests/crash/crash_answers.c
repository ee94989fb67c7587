/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges sectors by answers; see crash_answers.h. A sector is looked at in pieces that no request begins or ends in, so
 * that all of a piece is of one request.
 */
#include "crash_answers.h"

#include "test_pattern.h"

#define SECTOR	512
#define INITIAL 0
#define NOTHING SIZE_MAX
#define NEVER	UINT64_MAX

/* What is asked about. */
struct piece {
	const struct crash_answers *answers;
	uint64_t moment;
	uint64_t position;
	size_t length;
	const unsigned char *bytes;
};

static const struct crash_answer *request(const struct piece *piece, size_t number)
{
	return &piece->answers->answers[number - 1];
}

static bool changes(const struct crash_answer *answer)
{
	return answer->kind != CRASH_ANSWER_FLUSH;
}

/* Whether the request changes the piece; it does all of it then. */
static bool covers(const struct piece *piece, size_t number)
{
	const struct crash_answer *answer = request(piece, number);

	return changes(answer) && answer->position <= piece->position &&
	       answer->position + answer->length >= piece->position + piece->length;
}

static bool looks_like(const struct piece *piece, size_t number)
{
	if (number != INITIAL && request(piece, number)->kind != CRASH_ANSWER_WRITE)
		return test_bytes_check(piece->bytes, piece->length, 0) == piece->length;
	return test_pattern_check(piece->bytes, piece->length, piece->position, number) == piece->length;
}

/* Whether a flush covers the request, and was answered before the moment. */
static bool is_flushed(const struct piece *piece, const struct crash_answer *answer)
{
	for (size_t i = 0; i < piece->answers->count; i++) {
		const struct crash_answer *flush = &piece->answers->answers[i];

		if (flush->kind == CRASH_ANSWER_FLUSH && !flush->failed && flush->answered < piece->moment &&
		    flush->sent > answer->answered)
			return true;
	}
	return false;
}

/* Why the request cannot be missing any more; CRASH_RIGHT: it can. A discard always can. */
static enum crash_verdict promise(const struct piece *piece, const struct crash_answer *answer)
{
	if (answer->failed || answer->kind == CRASH_ANSWER_DISCARD)
		return CRASH_RIGHT;
	if (answer->fua && answer->answered < piece->moment)
		return CRASH_LOST_FUA;
	return is_flushed(piece, answer) ? CRASH_LOST_FLUSHED : CRASH_RIGHT;
}

/* A request that came after this one was answered, and that cannot be missing; NOTHING: there is none. */
static size_t what_hides(const struct piece *piece, size_t number, enum crash_verdict *verdict)
{
	for (size_t other = 1; other <= piece->answers->count; other++) {
		const struct crash_answer *answer = request(piece, other);

		if (!covers(piece, other) || (number != INITIAL && answer->sent <= request(piece, number)->answered))
			continue;
		*verdict = promise(piece, answer);
		if (*verdict != CRASH_RIGHT)
			return other;
	}
	return NOTHING;
}

/* The most that is wrong with a piece's content. Later requests are tried first: theirs is what is there most often. */
static struct crash_finding judge(const struct piece *piece)
{
	struct crash_finding finding = { .verdict = CRASH_NEVER_WRITTEN, .position = piece->position };

	for (size_t number = piece->answers->count + 1; number-- > 0;) {
		enum crash_verdict verdict;
		size_t hidden_by;

		if (number != INITIAL && !covers(piece, number))
			continue;
		if (!looks_like(piece, number))
			continue;
		finding.found = number;
		if (number != INITIAL && request(piece, number)->sent >= piece->moment) {
			finding.verdict = CRASH_NOT_SENT;
			continue;
		}
		hidden_by = what_hides(piece, number, &verdict);
		if (hidden_by == NOTHING)
			return (struct crash_finding){ .verdict = CRASH_RIGHT, .found = number };
		finding.verdict = verdict;
		finding.missing = hidden_by;
	}
	return finding;
}

/* Where the piece ends that begins at `position`: at most at `end`. */
static uint64_t end_of_piece(const struct crash_answers *answers, uint64_t position, uint64_t end)
{
	for (size_t i = 0; i < answers->count; i++) {
		const struct crash_answer *answer = &answers->answers[i];

		if (!changes(answer))
			continue;
		if (answer->position > position && answer->position < end)
			end = answer->position;
		if (answer->position + answer->length > position && answer->position + answer->length < end)
			end = answer->position + answer->length;
	}
	return end;
}

struct crash_finding crash_answers_check(const struct crash_answers *answers, uint64_t moment, uint64_t sector,
					 const unsigned char bytes[512])
{
	struct piece piece = { .answers = answers, .moment = moment, .position = sector * SECTOR, .bytes = bytes };
	uint64_t end = piece.position + SECTOR;
	struct crash_finding finding = { .verdict = CRASH_RIGHT };

	while (piece.position < end && finding.verdict == CRASH_RIGHT) {
		piece.length = (size_t)(end_of_piece(answers, piece.position, end) - piece.position);
		finding = judge(&piece);
		piece.position += piece.length;
		piece.bytes += piece.length;
	}
	return finding;
}

/* The moment of the first answer that said that a flush had failed. */
static uint64_t first_failure(const struct crash_answers *answers)
{
	uint64_t first = NEVER;

	for (size_t i = 0; i < answers->count; i++) {
		const struct crash_answer *answer = &answers->answers[i];

		if (answer->kind == CRASH_ANSWER_FLUSH && answer->failed && answer->answered < first)
			first = answer->answered;
	}
	return first;
}

struct crash_finding crash_answers_check_flushes(const struct crash_answers *answers)
{
	uint64_t failure = first_failure(answers);

	for (size_t i = 0; i < answers->count; i++) {
		const struct crash_answer *answer = &answers->answers[i];

		if ((answer->fua || answer->kind == CRASH_ANSWER_FLUSH) && !answer->failed &&
		    answer->answered != NEVER && answer->sent > failure)
			return (struct crash_finding){ .verdict = CRASH_FLUSH_AFTER_FAILURE,
						       .position = answer->position,
						       .missing = i + 1 };
	}
	return (struct crash_finding){ .verdict = CRASH_RIGHT };
}

const char *crash_verdict_text(enum crash_verdict verdict)
{
	static const char *const texts[NR_CRASH_VERDICTS] = {
		"right",
		"a flushed write is missing",
		"a FUA write is missing",
		"content that was never written",
		"content that had not been sent",
		"a flush succeeded after one had failed",
	};

	return texts[verdict];
}
