// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the node tells about itself, DCs and processes (dvk_info.h), and the start and end of a DC, whose description
 * is one of these. Each is one request that the node answers at once; nothing of it is kept in the client.
 */
#include "dvk_control.h"

int dvk_client_dvs_info(struct dvk_client *client, dvs_usr_t *dvs)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_DVS_INFO };
	struct dvk_node_packet answer;
	int rc = dvk_ask_node(client, &request, &answer);

	if (rc)
		return rc;
	*dvs = answer.dvs;
	return answer.argument;
}

int dvk_client_dc_info(struct dvk_client *client, int dcid, dc_usr_t *dc)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_DC_INFO, .dcid = dcid };
	struct dvk_node_packet answer;
	int rc = dvk_ask_node(client, &request, &answer);

	if (!rc)
		*dc = answer.dc;
	return rc;
}

int dvk_client_proc_info(struct dvk_client *client, int dcid, int p_nr, proc_usr_t *proc)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_PROC_INFO, .dcid = dcid, .endpoint = p_nr };
	struct dvk_node_packet answer;
	int rc = dvk_ask_node(client, &request, &answer);

	if (!rc)
		*proc = answer.proc;
	return rc;
}

int dvk_client_dc_init(struct dvk_client *client, const dc_usr_t *dc)
{
	struct dvk_node_request request = { .call = DVK_CALL_DC_INIT, .dcid = dc->dc_dcid, .dc = *dc };
	struct dvk_node_packet answer;
	int rc = dvk_ask_node(client, &request, &answer);

	return rc ? rc : answer.argument;
}

int dvk_client_dc_end(struct dvk_client *client, int dcid)
{
	struct dvk_node_request request = { .call = DVK_CALL_DC_END, .dcid = dcid };

	return dvk_ask_node(client, &request, NULL);
}
