/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A private directory for a test program, and a private runtime directory for
 * the node that it talks to. Both are gone when the program has ended, also when
 * it was killed. Test programs that start this must be single-threaded when they do.
 */
#ifndef TEST_DIRECTORY_H
#define TEST_DIRECTORY_H

#include <stddef.h>

#define TEST_PATH_SIZE 160 /* bytes of a path inside the directory */

/* Ends the program with status 2 and the message on stderr: the test could not be set up. */
_Noreturn void test_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The directory, made at the first call. It is removed at exit; when the program dies before
 * that, a helper process removes it once the program and all that it started are gone.
 */
const char *test_directory(void);

/* Writes "<directory>/<name>" into path. */
void test_path(char path[TEST_PATH_SIZE], const char *name);

/* Points DVK_RUNTIME_DIR at a new, empty directory: what is started next has a node of its own. */
void test_runtime_new(void);

#endif
