/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a fuzzer is made of, as libFuzzer names it: a target, which ends the process if something is wrong, and a
 * mutator that makes checksums right again, as nothing would get past them otherwise. scripts/fuzz.sh links them with
 * libFuzzer (clang), every other build with fuzz_corpus.c, which plays the samples.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The target: returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of size bytes, in memory of max_size. Returns how many there are then. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* libFuzzer's (or fuzz_corpus.c's) own mutations, for a mutator to begin with. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static inline void fuzz_require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "wrong: %s\n", what);
	abort();
}

#endif
