# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # folder is begin_guest's
#
# What the guest of soak-postgresql.sh does; begin_guest has made the file system at /tmp/mnt, and sources this. It says
# "commit N" when the row N was answered, "pgbench N" with the number of pgbench's transactions so far. The numbers of the rows
# that are there in the end are in the file `rows` of the folder.
#
# usage: . soak_postgresql_guest.sh PROGRAMS SCALE: PostgreSQL's; pgbench's

programs=$1 scale=$2
data=/tmp/mnt/data
cd /tmp || exit # the user below may not be allowed to go where root is

# as_user PROGRAM...: PostgreSQL does not want root's rights.
as_user() {
	setpriv --reuid=nobody --regid=nogroup --clear-groups env -i "PATH=$programs:$PATH" HOME=/tmp PGHOST=/tmp PGUSER=postgres \
		LC_ALL=C "$@"
}

sql() {
	as_user psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname=postgres "$@"
}

# or_say FILE PROGRAM...: its words go to the file, and to the console if it fails.
or_say() {
	"${@:2}" >"$1" 2>&1 || { tail -n 30 "$1"; exit 1; }
}

server() {
	or_say /tmp/pg_ctl.log as_user pg_ctl --pgdata="$data" --log=/tmp/server.log --wait --timeout=600 "$@"
}

# The text of a row follows from its number.
contents() {
	echo "repeat(md5($1::text), 1 + $1 % 60)"
}

statements() {
	local number=0

	while [ ! -e "$folder/end" ]; do
		number=$((number + 1))
		echo "INSERT INTO row VALUES ($number, $(contents "$number"));"
		echo "SELECT 'commit $number';"
	done
}

mkdir "$data"
chown nobody:nogroup "$data"
or_say /tmp/initdb.log as_user initdb --pgdata="$data" --username=postgres --auth=trust --data-checksums --locale=C --encoding=UTF8
# Few buffers and short logs: pages are written, and read again, all the time.
cat >>"$data/postgresql.conf" <<-'CONF'
	listen_addresses = ''
	unix_socket_directories = '/tmp'
	shared_buffers = 16MB
	max_wal_size = 64MB
	checkpoint_timeout = 30s
CONF
server start
or_say /tmp/pgbench.log as_user pgbench --initialize --quiet --scale="$scale" postgres
sql --command='CREATE TABLE row (number integer PRIMARY KEY, contents text)'

statements | sql &
rows=$!
processed=0
while [ ! -e "$folder/end" ]; do
	or_say /tmp/pgbench.log as_user pgbench --no-vacuum --client=4 --time=10 postgres
	grep -q '^number of failed transactions: 0 ' /tmp/pgbench.log || { cat /tmp/pgbench.log; exit 1; }
	processed=$((processed + $(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' /tmp/pgbench.log)))
	echo "pgbench $processed"
done
wait "$rows"

# What is in the server's memory alone goes with it, and what is in the guest's with the mount.
server --mode=immediate stop
umount /tmp/mnt
mount -o errors=remount-ro /dev/rdiska /tmp/mnt
server start
sql --command="SELECT number FROM row WHERE contents = $(contents number)" >"$folder/rows"
[ "$(sql --command='SELECT count(*) FROM row')" = "$(wc -l <"$folder/rows")" ] || { echo "rows have wrong contents"; exit 1; }
[ "$(sql --command='SELECT count(*) FROM pgbench_history')" = "$processed" ] ||
	{ echo "pgbench's transactions are not all there, or more of them"; exit 1; }
sums=$(sql --command='SELECT count(DISTINCT sum) FROM (SELECT sum(abalance) FROM pgbench_accounts
	UNION ALL SELECT sum(bbalance) FROM pgbench_branches UNION ALL SELECT sum(tbalance) FROM pgbench_tellers
	UNION ALL SELECT sum(delta) FROM pgbench_history) AS sums')
[ "$sums" = 1 ] || { echo "the sums of pgbench's tables differ"; exit 1; }
server stop
or_say /tmp/pg_checksums.log as_user pg_checksums --check --pgdata="$data"
! grep -E 'ERROR|PANIC|could not' /tmp/server.log || exit 1
