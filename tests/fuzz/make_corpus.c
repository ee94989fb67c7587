/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the samples that the fuzzers begin with, which are also what the unit tests compare forms with: what is there
 * already must not change by it.
 *
 * usage: make_corpus DIRECTORY    which has the directories of the corpora
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "done_table.h"
#include "replica_values.h"
#include "session_values.h"

static const char *directory;
static int failures;

static void save(const char *corpus, const char *name, const void *bytes, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", directory, corpus, name);
	file = fopen(path, "wb");
	if (!file || fwrite(bytes, 1, size, file) != size || fflush(file)) {
		fprintf(stderr, "make_corpus: cannot write %s: %s\n", path, strerror(errno));
		failures++;
	}
	if (file && fclose(file))
		failures++;
}

static void save_messages(void)
{
	unsigned char frame[REPLICA_VALUES_FRAME];

	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		size_t size = replica_values_frame(type, frame);

		save("message", message_name(type), frame, size);
	}
}

static void save_metadata(void)
{
	static const struct metadata_place log_place = { .kind = METADATA_LOG, .device = 3, .index = 0x11121314 };
	static const struct metadata_place bits_place = {
		.kind = METADATA_BITS, .device = 3, .member = 6, .index = 0x11121314
	};
	struct metadata_slot slot = replica_values_slot();
	unsigned char bytes[METADATA_SLOT_SIZE];
	uint64_t bits[METADATA_SECTOR_BITS / 64];

	metadata_encode_slot(&slot, bytes);
	save("metadata", "slot", bytes, METADATA_SLOT_SIZE);
	replica_values_bits(bits);
	metadata_encode_sector(&log_place, &slot.set, slot.node, bits, bytes);
	save("metadata", "log", bytes, METADATA_SECTOR);
	metadata_encode_sector(&bits_place, &slot.set, slot.node, bits, bytes);
	save("metadata", "bits", bytes, METADATA_SECTOR);
	slot = (struct metadata_slot){ .sequence = 1, .node = slot.node };
	metadata_encode_slot(&slot, bytes);
	save("metadata", "slot-blank", bytes, METADATA_SLOT_SIZE);
}

/* Three clients, with none, one and two requests done of those from `lowest` on; the last of the second is unsure. */
static void save_done_table(const char *name, uint64_t lowest)
{
	unsigned char bytes[3 * DONE_TABLE_CLIENT_MAX(7)];
	struct client_id client = { 0x1112131415161718, 0 };
	const struct client_open open = { .open = true, .shared = true, .device = 1 };
	const struct done_range range = { 0x2122232425262728, 0x1000, 3 };
	struct done_table table;
	unsigned int next = 0;

	if (done_table_init(&table, 3, 7)) {
		fprintf(stderr, "make_corpus: no memory\n");
		failures++;
		return;
	}
	for (; client.client < 3; client.client++) {
		failures += done_table_add(&table, client, 0, lowest, 0) != 0;
		failures += client.client && done_table_open(&table, client, &open);
		for (uint64_t i = 0; i < client.client; i++)
			failures +=
				done_table_add_write(&table, client, lowest + 1 + i, lowest, i ? -5 : 0, &range) != 0;
		if (client.client == 1)
			failures += done_table_add_unsure(&table, client, lowest + 1, lowest, &range) != 0;
	}
	save("done_table", name, bytes, done_table_save(&table, &next, bytes, sizeof(bytes)));
	done_table_free(&table);
}

static void save_frames(void)
{
	unsigned char bytes[SESSION_VALUES_SIZE];
	size_t size = session_values_stream(bytes);

	save("frame", "stream", bytes, size);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: make_corpus DIRECTORY\n");
		return 2;
	}
	directory = argv[1];
	save_messages();
	save_metadata();
	save_frames();
	save_done_table("clients", 0x2201);
	save_done_table("last-numbers", UINT64_MAX - 2);
	return failures > 0;
}
