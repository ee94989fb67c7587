/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decisions: for each epoch one configuration, by a majority of all members, as in Paxos with one value an epoch. Both
 * sides are here: the voter, who promises and accepts, and the proposer.
 *
 *   proposer   COLLECT{epoch, ballot}  ->  voters: promise, durably
 *              PROMISE{what was accepted for this epoch}  <-        REFUSE{why}
 *              PROPOSE{configuration, ballot}  ->  voters: accept, durably
 *              ACCEPTED  <-                                         REFUSE{why}
 *              CONFIGURATION{decided}  ->  all
 *
 * Epoch e+1 is collected for only by who knows that e was decided. A member that has lost what it promised does not
 * vote until it has learnt from a majority of the others, and then only in epochs that it cannot have voted in before.
 */
#include <assert.h>
#include <string.h>

#include "core.h"

static struct metadata_slot *now_of(struct replica *replica)
{
	return &replica->durable.now;
}

/*
 * A voter writes two slots before it answers, and begins anew when a higher ballot comes meanwhile. Where disks or
 * links take longer than election_delay for that, nothing would ever be decided if the next ballot always came that
 * soon.
 */
uint64_t decision_patience(const struct replica *replica, uint64_t least)
{
	uint64_t most = 2 * replica->settings.replica_timeout;
	uint64_t wait = least << replica->decision.late;

	if (wait > most)
		wait = most > least ? most : least;
	return wait;
}

static uint64_t answer_wait(const struct replica *replica)
{
	return decision_patience(replica, replica->settings.election_delay);
}

bool decision_votes(const struct replica *replica, uint64_t epoch)
{
	return !replica->failed && !replica->decision.learning && epoch >= replica->durable.now.votes_from;
}

static void want_all(struct replica *replica)
{
	if (core_diskless(replica, replica->settings.self))
		return;
	durable_note_images(replica);
	now_of(replica)->wants_all = (UINT64_C(1) << replica->settings.nr_devices) - 1;
}

/* The first that it ever has, and it is not in sync by it: nobody knows what its image lacks. */
static void note_first(struct replica *replica, const struct replica_configuration *configuration)
{
	uint64_t epoch = core_configuration(replica)->epoch;

	/* Its image is of what it gave up: its maps tell where it differs. */
	if (now_of(replica)->given_up.epoch)
		return;
	if ((epoch == 0 || (epoch == 1 && configuration->epoch == 1)) &&
	    !member_in(configuration->in_sync, replica->settings.self))
		want_all(replica);
}

/* What this member has accepted was decided, or is another now. */
static void take_configuration(struct replica *replica, const struct replica_configuration *configuration,
			       struct ballot ballot, bool decided)
{
	struct metadata_slot *now = now_of(replica);
	bool news = now->configuration.epoch != configuration->epoch ||
		    !replica_configuration_same(&now->configuration, configuration);
	bool tells = decided && !now->decided && !decision_votes(replica, configuration->epoch);

	if (!news && decided && replica->decision.decided)
		return;
	if (now->votes_from == VOTES_UNKNOWN)
		decision_lost(replica, 0);
	now->decided = decided;
	if (news || tells || ballot_compare(now->accepted, ballot)) {
		note_first(replica, configuration);
		now->configuration = *configuration;
		now->accepted = ballot;
		now->set = configuration->set;
		replica->decision.heard = 0;
		durable_changed(replica);
	}
	replica->decision.decided = decided;
	if (decided)
		replica->decision.late = 0;
	if (replica->decision.phase != PROPOSAL_NONE && replica->decision.epoch <= configuration->epoch && decided)
		decision_give_up(replica);
	reign_changed(replica);
	if (decided)
		peer_tell_all(replica);
}

/* ---- the voter ---- */

static void refuse(struct replica *replica, int member, const struct message *message, enum refusal why, uint64_t wait)
{
	struct message refusal = {
		.type = MESSAGE_REFUSE,
		.epoch = message->epoch,
		.ballot = message->ballot,
		.kind = why,
		.wait = wait,
		.configuration = replica->durable.stable.configuration,
		.accepted = replica->durable.stable.accepted,
	};

	if (why == REFUSED_BALLOT)
		refusal.accepted = now_of(replica)->promised;
	if (member == replica->settings.self)
		decision_refuse(replica, member, &refusal);
	else
		core_send(replica, member, REPLICA_CLASS_CONTROL, &refusal, NULL);
}

/* Whether a vote for (epoch, ballot) is given to `member`, whose choice as primary is `primary`. */
static bool may_vote(struct replica *replica, int member, const struct message *message, int primary)
{
	const struct metadata_slot *now = now_of(replica);
	uint64_t wait = lease_forbids(replica, primary);

	if (!decision_votes(replica, message->epoch)) {
		/* Without a slot of its own, where others are not blank: what it forgot is not known. */
		if (now->votes_from == VOTES_UNKNOWN)
			decision_lost(replica, 0);
		refuse(replica, member, message, REFUSED_NO_VOTE, 0);
	} else if (now->configuration.epoch > message->epoch) {
		refuse(replica, member, message, REFUSED_EPOCH, 0);
	} else if (ballot_compare(now->promised, message->ballot) > 0 && !deliberate_bug(BUG_NO_PROMISE)) {
		refuse(replica, member, message, REFUSED_BALLOT, 0);
	} else if (wait) {
		refuse(replica, member, message, REFUSED_LEASE, wait);
	} else {
		return true;
	}
	return false;
}

/*
 * One ballot stands for all epochs: an epoch before the one that was promised last can still be voted in, with a higher
 * ballot. It may not be known yet what was decided in it.
 */
static void note_promise(struct replica *replica, const struct message *message)
{
	struct metadata_slot *now = now_of(replica);

	now->promised = message->ballot;
	if (message->epoch > now->promised_epoch)
		now->promised_epoch = message->epoch;
}

/* The primary is the process that it was in the epoch before. */
static bool goes_on(const struct replica_configuration *configuration)
{
	return configuration->reign < configuration->epoch;
}

void decision_collect(struct replica *replica, int member, const struct message *message)
{
	struct metadata_slot *now = now_of(replica);
	int primary = member;

	/* What was decided before it. */
	if (message->configuration.epoch > now->configuration.epoch && message->configuration.epoch < message->epoch)
		take_configuration(replica, &message->configuration, message->accepted, true);
	/* A lease is no hindrance to what leaves its holder the primary; what is proposed then is looked at again. */
	if ((message->flags & MESSAGE_SAME_PRIMARY) &&
	    (message->epoch == now->configuration.epoch + 1 ||
	     (message->epoch == now->configuration.epoch && goes_on(&now->configuration))))
		primary = (int)now->configuration.primary;
	if (!may_vote(replica, member, message, primary))
		return;
	note_promise(replica, message);
	durable_then(replica, AFTER_PROMISE, member, message->epoch, message->ballot);
}

void decision_proposal(struct replica *replica, int member, const struct message *message)
{
	struct metadata_slot *now = now_of(replica);
	const struct replica_configuration *value = &message->configuration;

	if (value->epoch != message->epoch || !may_vote(replica, member, message, (int)value->primary))
		return;
	/* What is known to be decided is not replaced: another proposer can only bring the same again. */
	if (now->configuration.epoch == value->epoch && replica->decision.decided) {
		if (!replica_configuration_same(&now->configuration, value)) {
			refuse(replica, member, message, REFUSED_EPOCH, 0);
			return;
		}
	}
	note_promise(replica, message);
	if (!(now->configuration.epoch == value->epoch && replica->decision.decided)) {
		note_first(replica, value);
		now->configuration = *value;
		now->set = value->set;
		now->decided = 0;
		replica->decision.decided = false;
		replica->decision.heard = 0;
	}
	now->accepted = message->ballot;
	durable_then(replica, AFTER_ACCEPTED, member, message->epoch, message->ballot);
	reign_changed(replica);
}

static void promise_is_stable(struct replica *replica, const struct awaiting_save *awaiting)
{
	const struct metadata_slot *stable = &replica->durable.stable;
	struct message promise = { .type = MESSAGE_PROMISE, .epoch = awaiting->epoch, .ballot = awaiting->ballot };

	if (stable->configuration.epoch == awaiting->epoch) {
		promise.configuration = stable->configuration;
		promise.accepted = stable->accepted;
	}
	if (awaiting->member == replica->settings.self)
		decision_promise(replica, awaiting->member, &promise);
	else if (replica->peers[awaiting->member].greeted)
		core_send(replica, awaiting->member, REPLICA_CLASS_CONTROL, &promise, NULL);
}

void decision_saved(struct replica *replica, const struct awaiting_save *awaiting)
{
	const struct metadata_slot *now = now_of(replica);
	struct message accepted = { .type = MESSAGE_ACCEPTED, .epoch = awaiting->epoch, .ballot = awaiting->ballot };

	switch (awaiting->what) {
	case AFTER_PROMISE:
		/* A promise to another came after it. */
		if (ballot_compare(now->promised, awaiting->ballot))
			return;
		promise_is_stable(replica, awaiting);
		return;
	case AFTER_ACCEPTED:
		if (awaiting->member == replica->settings.self)
			decision_accepted(replica, awaiting->member, &accepted);
		else if (replica->peers[awaiting->member].greeted)
			core_send(replica, awaiting->member, REPLICA_CLASS_CONTROL, &accepted, NULL);
		return;
	case AFTER_LEARNED:
		peer_tell_all(replica);
		return;
	case AFTER_GIVEN_UP:
		line_given_up(replica);
		return;
	}
}

/* ---- the proposer ---- */

void decision_give_up(struct replica *replica)
{
	replica->decision.phase = PROPOSAL_NONE;
	replica->consider = true;
}

/* Until somebody is asked to accept it, and while nobody may have before. */
void decision_gone(struct replica *replica, int member)
{
	const struct decision *decision = &replica->decision;

	if (decision->phase == PROPOSAL_COLLECTING && decision->own && !decision->adopted.counter &&
	    decision->value.primary == (uint32_t)member)
		decision_give_up(replica);
}

static bool is_enough(const struct replica *replica)
{
	member_set voters = core_voters(replica, replica->decision.dead);

	return member_count(replica->decision.answers & voters) > member_count(voters) / 2;
}

bool decision_used_up(const struct replica *replica)
{
	const struct decision *decision = &replica->decision;
	const struct metadata_slot *now = &replica->durable.now;

	return decision->highest_counter >= BALLOT_COUNT_MAX || now->promised.counter >= BALLOT_COUNT_MAX ||
	       now->configuration.epoch >= EPOCH_MAX;
}

static void collect(struct replica *replica, uint64_t epoch)
{
	struct decision *decision = &replica->decision;
	const struct metadata_slot *now = now_of(replica);
	struct message collect = { .type = MESSAGE_COLLECT, .epoch = epoch };

	if (now->promised.counter > decision->highest_counter && !deliberate_bug(BUG_BALLOT_REUSED))
		decision->highest_counter = now->promised.counter;
	if (decision_used_up(replica)) /* propose_consider() says so */
		return;
	decision->phase = PROPOSAL_COLLECTING;
	decision->leased = false;
	decision->epoch = epoch;
	decision->ballot = (struct ballot){ ++decision->highest_counter, (uint32_t)replica->settings.self };
	decision->adopted = (struct ballot){ 0 };
	decision->answers = 0;
	decision->deadline = replica->now + answer_wait(replica);
	core_wake_at(replica, decision->deadline);
	collect.ballot = decision->ballot;
	if (decision->own ? now->configuration.epoch && decision->value.primary == now->configuration.primary
			  : goes_on(&now->configuration))
		collect.flags = MESSAGE_SAME_PRIMARY;
	if (decision->decided) {
		collect.configuration = now->configuration;
		collect.accepted = now->accepted;
	}
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_CONTROL, &collect, NULL);
	}
	decision_collect(replica, replica->settings.self, &collect);
}

static void begin_proposal(struct replica *replica, const struct replica_configuration *value, uint64_t epoch)
{
	struct decision *decision = &replica->decision;

	decision->value = *value;
	decision->value.epoch = epoch;
	if (decision->value.reign == 0)
		decision->value.reign = epoch;
	decision->value.digest = replica->list_digest;
	decision->own = true;
	collect(replica, epoch);
}

void decision_propose(struct replica *replica, const struct replica_configuration *value)
{
	struct decision *decision = &replica->decision;
	uint64_t epoch = core_configuration(replica)->epoch + 1;

	assert(decision->phase == PROPOSAL_NONE && (decision->decided || epoch == 1));
	decision->dead = core_configuration(replica)->dead;
	begin_proposal(replica, value, epoch);
}

void decision_force(struct replica *replica, const struct replica_configuration *value)
{
	assert(replica->decision.phase == PROPOSAL_NONE);
	replica->decision.dead = value->dead;
	begin_proposal(replica, value, core_configuration(replica)->epoch + 1);
}

void decision_settle(struct replica *replica)
{
	struct decision *decision = &replica->decision;

	assert(decision->phase == PROPOSAL_NONE && !decision->decided);
	decision->own = false;
	decision->dead = core_configuration(replica)->dead;
	collect(replica, core_configuration(replica)->epoch);
}

static bool is_current(const struct decision *decision, enum proposal_phase phase, const struct message *message)
{
	return decision->phase == phase && decision->epoch == message->epoch &&
	       !ballot_compare(decision->ballot, message->ballot);
}

static void propose(struct replica *replica)
{
	struct decision *decision = &replica->decision;
	struct message proposal = { .type = MESSAGE_PROPOSE, .epoch = decision->epoch, .ballot = decision->ballot };

	decision->phase = PROPOSAL_PROPOSING;
	decision->answers = 0;
	decision->deadline = replica->now + answer_wait(replica);
	core_wake_at(replica, decision->deadline);
	proposal.configuration = decision->value;
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_CONTROL, &proposal, NULL);
	}
	decision_proposal(replica, replica->settings.self, &proposal);
}

void decision_promise(struct replica *replica, int member, const struct message *message)
{
	struct decision *decision = &replica->decision;

	if (!is_current(decision, PROPOSAL_COLLECTING, message))
		return;
	if (member_in(decision->answers, member))
		return;
	decision->answers |= member_bit(member);
	if (message->configuration.epoch == decision->epoch &&
	    ballot_compare(message->accepted, decision->adopted) > 0) {
		decision->value = message->configuration;
		decision->adopted = message->accepted;
		decision->own = true;
	}
	/* Its own promise, too: so that it does not use the ballot again after a restart, for another value. */
	if (!is_enough(replica) || !member_in(decision->answers, replica->settings.self))
		return;
	if (!decision->own) {
		decision_give_up(replica); /* nobody of this majority has accepted anything: nothing to settle */
		return;
	}
	propose(replica);
}

void decision_refuse(struct replica *replica, int member, const struct message *message)
{
	struct decision *decision = &replica->decision;
	uint64_t wait = message->wait < lease_longest(replica) ? message->wait : lease_longest(replica);

	(void)member;
	if (message->kind == REFUSED_BALLOT && message->accepted.counter > decision->highest_counter)
		decision->highest_counter = message->accepted.counter;
	/* One that is behind learns what there is by STATUS and FETCH; a lease is waited for. */
	if (message->kind != REFUSED_LEASE || decision->phase == PROPOSAL_NONE || decision->epoch != message->epoch ||
	    ballot_compare(decision->ballot, message->ballot))
		return;
	decision->leased = true;
	if (replica->reign.not_before < replica->now + wait)
		replica->reign.not_before = replica->now + wait;
}

void decision_accepted(struct replica *replica, int member, const struct message *message)
{
	struct decision *decision = &replica->decision;
	struct message news = { .type = MESSAGE_CONFIGURATION, .flags = MESSAGE_DECIDED };

	if (!is_current(decision, PROPOSAL_PROPOSING, message))
		return;
	decision->answers |= member_bit(member);
	if (!is_enough(replica))
		return;
	if (now_of(replica)->configuration.epoch > decision->epoch) {
		decision_give_up(replica);
		return;
	}
	news.configuration = decision->value;
	news.accepted = decision->ballot;
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_CONTROL, &news, NULL);
	}
	decision->phase = PROPOSAL_NONE;
	take_configuration(replica, &news.configuration, news.accepted, true);
}

/* ---- what others have ---- */

void decision_heard(struct replica *replica, int member, uint64_t epoch, struct ballot ballot, bool decided)
{
	struct decision *decision = &replica->decision;
	const struct metadata_slot *now = now_of(replica);

	if (ballot.counter > decision->highest_counter)
		decision->highest_counter = ballot.counter;
	if (!epoch || epoch != now->configuration.epoch || decision->decided || ballot_compare(ballot, now->accepted))
		return;
	if (decision->heard_epoch != epoch || ballot_compare(decision->heard_ballot, ballot)) {
		decision->heard_epoch = epoch;
		decision->heard_ballot = ballot;
		decision->heard = 0;
	}
	decision->heard |= member_bit(member);
	/* Whoever has accepted under one ballot has accepted the same: a majority of them is a decision. */
	if (decided || core_majority(replica, decision->heard)) {
		struct replica_configuration configuration = now->configuration;

		take_configuration(replica, &configuration, ballot, true);
	}
}

void decision_configuration(struct replica *replica, int member, const struct message *message)
{
	const struct metadata_slot *now = now_of(replica);
	struct message proposal = *message;

	replica->peers[member].asked = 0;
	if (message->configuration.epoch < now->configuration.epoch)
		return;
	if (message->flags & MESSAGE_DECIDED) {
		take_configuration(replica, &message->configuration, message->accepted, true);
		return;
	}
	/* A proposal that comes by way of another voter. Nobody waits for the answer. */
	if (message->configuration.epoch == now->configuration.epoch &&
	    (replica->decision.decided || ballot_compare(message->accepted, now->accepted) <= 0))
		return;
	proposal.type = MESSAGE_PROPOSE;
	proposal.epoch = message->configuration.epoch;
	proposal.ballot = message->accepted;
	decision_proposal(replica, member, &proposal);
}

/* ---- a vote that was lost ---- */

static void begin_to_learn(struct replica *replica)
{
	struct decision *decision = &replica->decision;

	decision->learning = true;
	decision->learnt = 0;
	decision->learnt_epoch = 0;
	decision->next_learn = replica->now;
	decision_give_up(replica);
	core_wake_at(replica, decision->next_learn);
}

void decision_found(struct replica *replica)
{
	const struct metadata_slot *now = now_of(replica);

	if (!now->decided || decision_votes(replica, now->configuration.epoch))
		return;
	replica->decision.decided = true;
	reign_changed(replica);
}

void decision_forget(struct replica *replica)
{
	struct decision *decision = &replica->decision;

	decision->decided = false;
	decision->heard = 0;
	decision->heard_epoch = 0;
	decision->seen = 0;
	begin_to_learn(replica);
}

void decision_lost(struct replica *replica, uint64_t seen)
{
	struct decision *decision = &replica->decision;

	if (seen > decision->seen)
		decision->seen = seen;
	if (decision->learning || deliberate_bug(BUG_VOTE_WITH_LOST_METADATA))
		return;
	/* Its log is lost or as old: it does not know what is unfinished either. Who gave its line up has all of it. */
	if (now_of(replica)->configuration.epoch || !now_of(replica)->given_up.epoch) {
		want_all(replica);
		replica->reign.disk_failed = true;
		replica->joining.ready = 0;
	}
	begin_to_learn(replica);
	core_tell(replica, REPLICA_EVENT_REFUSED, replica->settings.self,
		  "what it promised is lost: it does not vote before it has learnt from a majority of the others");
}

void decision_learn(struct replica *replica, int member)
{
	uint64_t votes_from = replica->durable.stable.votes_from;
	struct message answer = {
		.type = MESSAGE_LEARNT,
		/* What it learnt itself and did not accept: who learns from it must not know less. */
		.epoch = votes_from != VOTES_UNKNOWN && votes_from > 2 ? votes_from - 2 : 0,
		.configuration = replica->durable.stable.configuration,
		.accepted = replica->durable.stable.accepted,
	};

	/* It knows nothing that counts. */
	if (replica->decision.learning || votes_from == VOTES_UNKNOWN)
		return;
	if (replica->decision.decided && answer.configuration.epoch == core_configuration(replica)->epoch)
		answer.flags |= MESSAGE_DECIDED;
	core_send(replica, member, REPLICA_CLASS_CONTROL, &answer, NULL);
}

void decision_learnt(struct replica *replica, int member, const struct message *message)
{
	struct decision *decision = &replica->decision;
	struct metadata_slot *now = now_of(replica);
	member_set others;

	if (!decision->learning)
		return;
	decision->learnt |= member_bit(member);
	if (message->configuration.epoch > decision->learnt_epoch)
		decision->learnt_epoch = message->configuration.epoch;
	if (message->epoch > decision->learnt_epoch)
		decision->learnt_epoch = message->epoch;
	/* Decided or not: it is only remembered as the newest that there is. It does not count as this member's vote.
	 */
	if ((message->flags & MESSAGE_DECIDED) && message->configuration.epoch >= now->configuration.epoch)
		take_configuration(replica, &message->configuration, message->accepted, true);
	others = core_voters(replica, now->configuration.dead) & (member_set)~member_bit(replica->settings.self);
	if (member_count(decision->learnt & others) <= member_count(others) / 2)
		return;
	decision->learning = false;
	now->votes_from = decision->learnt_epoch + 2;
	if (deliberate_bug(BUG_LEARNT_VOTES_AT_ONCE))
		now->votes_from = 1;
	else if (decision->seen + 1 > now->votes_from)
		now->votes_from = decision->seen + 1;
	/* Above it the slot could not be read again. */
	if (now->votes_from > EPOCH_MAX)
		now->votes_from = EPOCH_MAX;
	replica->durable.broken = false;
	durable_then(replica, AFTER_LEARNED, replica->settings.self, 0, (struct ballot){ 0 });
	replica->consider = true;
}

void decision_tick(struct replica *replica)
{
	struct decision *decision = &replica->decision;
	struct message learn = { .type = MESSAGE_LEARN };

	if (decision->phase != PROPOSAL_NONE) {
		if (decision->deadline <= replica->now) {
			decision->late += !decision->leased && decision->late < DECISION_LATE_MAX;
			decision_give_up(replica);
		} else {
			core_wake_at(replica, decision->deadline);
		}
	}
	if (!decision->learning)
		return;
	if (decision->next_learn <= replica->now) {
		for (int i = 0; i < replica->settings.members; i++) {
			if (replica->peers[i].greeted && !member_in(decision->learnt, i))
				core_send(replica, i, REPLICA_CLASS_CONTROL, &learn, NULL);
		}
		decision->next_learn = replica->now + answer_wait(replica);
	}
	core_wake_at(replica, decision->next_learn);
}
