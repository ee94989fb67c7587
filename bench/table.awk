# SPDX-License-Identifier: GPL-2.0-or-later
#
# From lines "ROUND DEVICE JOB VALUE", sorted by job, device and value, to a Markdown table of medians and a JSON
# file. Variables: rounds, seconds, size (MiB), host (its kernel), json and markdown (files to write).

function median(key, n) {
	n = count[key]
	return n % 2 ? value[key, (n + 1) / 2] : (value[key, n / 2] + value[key, n / 2 + 1]) / 2
}

# A figure as people read it: 12.3k operations a second, 4.56 GB/s.
function human(job, figure) {
	if (job ~ /4k/)
		return sprintf("%.1fk", figure / 1000)
	return sprintf("%.2f GB/s", figure / 1000000000)
}

{
	key = $3 SUBSEP $2
	value[key, ++count[key]] = $4
}

END {
	n = split("randread-4k-qd1 randwrite-4k-qd1 randread-4k-qd32 randwrite-4k-qd32 read-1M-qd4 write-1M-qd4", jobs, " ")
	title["randread-4k-qd1"] = "4 KiB random read, depth 1 (IOPS)"
	title["randwrite-4k-qd1"] = "4 KiB random write, depth 1 (IOPS)"
	title["randread-4k-qd32"] = "4 KiB random read, depth 32 (IOPS)"
	title["randwrite-4k-qd32"] = "4 KiB random write, depth 32 (IOPS)"
	title["read-1M-qd4"] = "1 MiB sequential read, depth 4"
	title["write-1M-qd4"] = "1 MiB sequential write, depth 4"

	print "| | rdisk | ubd | rdisk / ubd |\n|---|---|---|---|" >markdown
	printf "{\"host_kernel\": \"%s\", \"rounds\": %d, \"seconds\": %d, \"image_mib\": %d, \"jobs\": [\n",
		host, rounds, seconds, size >json
	for (i = 1; i <= n; i++) {
		job = jobs[i]
		rdisk = median(job SUBSEP "rdisk")
		ubd = median(job SUBSEP "ubd")
		printf "| %s | %s | %s | %.2f |\n", title[job], human(job, rdisk), human(job, ubd), rdisk / ubd >markdown
		printf "  {\"job\": \"%s\", \"rdisk\": %.0f, \"ubd\": %.0f, \"ratio\": %.3f}%s\n",
			job, rdisk, ubd, rdisk / ubd, i < n ? "," : "" >json
	}
	print "]}" >json
}
