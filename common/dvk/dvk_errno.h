/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error codes of DVK calls, all negative; the numbers are the original's
 * (dvs_errno.h), but for EDVSREADY. -1 .. -40 mirror Linux and MINIX, the network group has
 * MINIX's numbers. Calls that return an endpoint may return small negative
 * numbers that are no errors: for those an error is a value < EDVSERRCODE.
 *
 * Freestanding, but for dvk_strerror(), which only the hosted library has.
 */
#ifndef DVK_ERRNO_H
#define DVK_ERRNO_H

#define DVK_ERRORS(X)                                                                                                  \
	X(EDVSPERM, -1, "operation not permitted")                                                                     \
	X(EDVSNOENT, -2, "no such file or object")                                                                     \
	X(EDVSSRCH, -3, "no such process")                                                                             \
	X(EDVSINTR, -4, "interrupted by a signal")                                                                     \
	X(EDVSIO, -5, "input/output error")                                                                            \
	X(EDVSNXIO, -6, "no such device, or it is not open")                                                           \
	X(EDVS2BIG, -7, "too many elements")                                                                           \
	X(EDVSAGAIN, -11, "would have to wait")                                                                        \
	X(EDVSNOMEM, -12, "out of memory")                                                                             \
	X(EDVSACCES, -13, "permission denied")                                                                         \
	X(EDVSFAULT, -14, "bad address")                                                                               \
	X(EDVSBUSY, -16, "in use by another")                                                                          \
	X(EDVSEXIST, -17, "exists already")                                                                            \
	X(EDVSNODEV, -19, "no such device")                                                                            \
	X(EDVSINVAL, -22, "invalid argument")                                                                          \
	X(EDVSMFILE, -24, "too many open files")                                                                       \
	X(EDVSNOTTY, -25, "unknown device control request")                                                            \
	X(EDVSNOSPC, -28, "no space left")                                                                             \
	X(EDVSROFS, -30, "device is read-only")                                                                        \
	X(EDVSRANGE, -34, "size out of range")                                                                         \
	X(EDVSNAMETOOLONG, -36, "name too long")                                                                       \
	X(EDVSNOSYS, -38, "call not implemented")                                                                      \
	X(EDVSTIMEDOUT, -61, "timed out")                                                                              \
	X(EDVSNOTCONN, -64, "not connected")                                                                           \
	X(EDVSGENERIC, -99, "error")                                                                                   \
	X(EDVSLOCKED, -101, "would deadlock")                                                                          \
	X(EDVSBADCALL, -102, "call not allowed to this endpoint")                                                      \
	X(EDVSDEADSRCDST, -105, "partner of sendrec died")                                                             \
	X(EDVSBADREQUEST, -107, "unknown request")                                                                     \
	X(EDVSSRCDIED, -108, "source died")                                                                            \
	X(EDVSDSTDIED, -109, "destination died")                                                                       \
	X(EDVSTRAPDENIED, -110, "not allowed between these endpoints")                                                 \
	X(EDVSDONTREPLY, -201, "no reply is due")                                                                      \
	X(EDVSBADNODEID, -301, "bad node number")                                                                      \
	X(EDVSBADDCID, -302, "DC number or slot out of range")                                                         \
	X(EDVSDCNOTRUN, -303, "DC is not running")                                                                     \
	X(EDVSBADPROC, -304, "process number out of range")                                                            \
	X(EDVSBADPID, -305, "no such pid")                                                                             \
	X(EDVSENDPOINT, -306, "bad endpoint for this call")                                                            \
	X(EDVSNOTBIND, -310, "endpoint is not bound")                                                                  \
	X(EDVSDVSINIT, -318, "no node answers")                                                                        \
	X(EDVSPROCRUN, -320, "process is running")                                                                     \
	X(EDVSDCRUN, -323, "DC is running already")                                                                    \
	X(EDVSPROCSTS, -324, "process is not in the state that the call needs")                                        \
	X(EDVSOVERRUN, -330, "notification already pending")                                                           \
	X(EDVSBADOWNER, -331, "not the owner")                                                                         \
	X(EDVSPRIVILEGES, -335, "privileges needed")                                                                   \
	X(EDVSBINDTYPE, -336, "unknown bind type")                                                                     \
	X(EDVSSLOTUSED, -337, "endpoint in use")                                                                       \
	X(EDVSBADRANGE, -338, "number out of range")                                                                   \
	X(EDVSBADVALUE, -339, "bad value")                                                                             \
	X(EDVSRSCBUSY, -342, "table full")                                                                             \
	X(EDVSNAMESIZE, -343, "bad length of a name")                                                                  \
	X(EDVSALLOCMEM, -344, "out of memory or descriptors")                                                          \
	X(EDVSREADY, -401, "a descriptor of the caller's is ready")

enum dvk_error {
#define DVK_ERROR_ENUM(name, value, text) name = (value),
	DVK_ERRORS(DVK_ERROR_ENUM)
#undef DVK_ERROR_ENUM
		EDVSERRCODE = -300, /* not an error: the bound that endpoint-returning calls are compared with */
};

/*
 * Text for a code of the table, or "error N" for any other number. The text is
 * constant storage or, for an unknown number, a per-thread buffer valid until the
 * next call in that thread. Hosted library only. Any thread.
 */
const char *dvk_strerror(int code);

/* Name of a code ("EDVSBUSY"), or NULL when the table lacks it. Hosted library only. */
const char *dvk_error_name(int code);

#endif
