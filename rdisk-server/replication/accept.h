/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests at the primary. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_ACCEPT_H
#define RDISK_REPLICATION_ACCEPT_H

#include "entry.h"
#include "message.h"
#include "replica.h"

/*
 * A request that came to this member, which is primary, from the member `origin`: itself, too. It is answered, or
 * begins, or waits. memory: owned from now on, from malloc(), and `data` lies in it. NULL: the data of a write are the
 * caller's; they lie in `shared`, which is held as long as they are needed, or are copied if that is NULL, too.
 */
void accept_request(struct replica *replica, int origin, const struct message *message, void *memory,
		    struct replica_data *shared, const void *data);
/* A REQUEST of another member; `frame` is owned from now on, memory from malloc() that `data` lies in. */
void accept_forwarded(struct replica *replica, int member, const struct message *message, void *frame,
		      const void *data);
/* A request whose turn has come, as far as unsure ones are concerned. */
void accept_start(struct replica *replica, struct entry *entry);
/* From now on this member serves: what has waited for that begins. */
void accept_start_queue(struct replica *replica);
/*
 * A member has another process: what the one before asked for is not begun any more, nor its answers kept, as nobody
 * waits for them.
 */
void accept_forget_process(struct replica *replica, int member);

#endif
