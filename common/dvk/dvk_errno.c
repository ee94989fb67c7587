// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the system's error numbers to EDVS codes, and from those to the ones that calls which return endpoints
 * can give. For the files of the core that make system calls; the codes themselves are in dvk_errno.h, their texts
 * for people in dvk_error_text.c.
 */
#include <errno.h>

#include "dvk_internal.h"

int dvk_error_of(int error)
{
	switch (-error) {
	case EPERM:
		return EDVSPERM;
	case ENOENT:
		return EDVSNOENT;
	case ESRCH:
		return EDVSSRCH;
	case EINTR:
		return EDVSINTR;
	case EAGAIN:
		return EDVSAGAIN;
	case ENOMEM:
	case ENOBUFS:
	case ETOOMANYREFS:
		return EDVSNOMEM;
	case EACCES:
		return EDVSACCES;
	case EFAULT:
		return EDVSFAULT;
	case EINVAL:
		return EDVSINVAL;
	case EMFILE:
	case ENFILE:
		return EDVSMFILE;
	case ENOSYS:
		return EDVSNOSYS;
	case ENAMETOOLONG:
		return EDVSNAMETOOLONG;
	case ETIMEDOUT:
		return EDVSTIMEDOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
		return EDVSDVSINIT;
	default:
		return EDVSIO;
	}
}

int dvk_endpoint_error(int code)
{
	switch (code) {
	case EDVSNOMEM:
	case EDVSMFILE:
		return EDVSALLOCMEM;
	case EDVSPERM:
	case EDVSACCES:
		return EDVSPRIVILEGES;
	case EDVSIO:
	case EDVSINTR: /* before the node could be asked */
	case EDVSINVAL:
	case EDVSNOSYS:
	case EDVSNAMETOOLONG:
		return EDVSDVSINIT;
	default:
		return code;
	}
}
