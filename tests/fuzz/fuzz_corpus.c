/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer without libFuzzer, for every build and in a moment: each file of a directory, then each with damage, the
 * same in each run.
 *
 * usage: FUZZER DIRECTORY
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "replica_values.h"

#define INPUT_MAX 65536
#define ROUNDS	  500 /* of damage, for each file */

static uint64_t seed = 1;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	uint64_t random = replica_values_random(&seed);

	if (random % 8 == 0 && size < max_size)
		data[size++] = (uint8_t)(random >> 8);
	else if (random % 8 == 1 && size > 1)
		size -= 1 + (random >> 8) % (size < 16 ? size - 1 : 15);
	if (size > 0)
		replica_values_damage(data, size, &seed);
	return size;
}

/* In memory of just its size, so that the address sanitizer sees what is behind it. */
static int play(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (!exact) {
		fprintf(stderr, "no memory\n");
		return 1;
	}
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

/* 0, or 1 after a message. */
static int play_file(const char *path)
{
	static uint8_t original[INPUT_MAX], data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;
	int failed;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	size = fread(original, 1, sizeof(original), file);
	failed = ferror(file) != 0 || play(original, size);
	fclose(file);
	for (int round = 0; round < ROUNDS && !failed; round++) {
		size_t changed;

		memcpy(data, original, size);
		changed = LLVMFuzzerCustomMutator(data, size, sizeof(data), (unsigned int)replica_values_random(&seed));
		failed = play(data, changed);
	}
	return failed;
}

int main(int argc, char **argv)
{
	int files = 0, failed = 0;
	struct dirent *entry;
	DIR *directory;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = opendir(argv[1]);
	if (!directory) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	while (!failed && (entry = readdir(directory))) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		failed = play_file(path);
		files++;
	}
	closedir(directory);
	printf("%d files\n", files);
	return failed || files == 0;
}
