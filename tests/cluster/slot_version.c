/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slot_version FILE VERSION: a slot of a member's state (metadata.h) says that it is of another version, and is whole.
 */
#include <stdio.h>
#include <stdlib.h>

#include "encoding.h"
#include "little_endian.h"
#include "metadata.h"

/* As metadata.c has them, in every version. */
#define AT_VERSION  4
#define AT_CHECKSUM 8

int main(int argc, char **argv)
{
	unsigned char bytes[METADATA_SLOT_SIZE];
	FILE *file = argc == 3 ? fopen(argv[1], "r+e") : NULL;
	bool done = false;

	if (!file) {
		(void)fputs("usage: slot_version FILE VERSION\n", stderr);
		return 2;
	}
	if (fread(bytes, 1, sizeof(bytes), file) == sizeof(bytes)) {
		put_u32(bytes + AT_VERSION, (uint32_t)strtoul(argv[2], NULL, 10));
		put_u64(bytes + AT_CHECKSUM, checksum_around(bytes, sizeof(bytes), AT_CHECKSUM));
		rewind(file);
		done = fwrite(bytes, 1, sizeof(bytes), file) == sizeof(bytes);
	}
	if (fclose(file) || !done) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
