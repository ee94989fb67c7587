/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system of a hostile process's own: whoever asks for the status of its file, or closes it, waits until the
 * test lets go. Needs root and FUSE.
 */
#ifndef TEST_FUSE_H
#define TEST_FUSE_H

#include <sys/types.h>

#define TEST_FUSE_FILE "/mnt/file" /* 4096 bytes; exists in the caller's mount namespace */

/*
 * Gives the caller, a process that the test may lose, a mount namespace of its own with that file system, which only
 * `user` with `group` may use. It answers nothing about the file but its opening. Its server, a child of the caller,
 * ends when nobody has the write end of the pipe `life` any more (the caller must not), which lets all go on who wait;
 * and at the first read of the file, so that a test in which somebody reads it fails and does not hang. 0, or -1 where
 * that cannot be.
 */
int test_fuse_mount(uid_t user, gid_t group, int life);

#endif
