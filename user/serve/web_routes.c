/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One request: who asks, for what, and how he wants it. */
#include <stdio.h>
#include <string.h>

#include "exposition.h"
#include "util.h"
#include "web_encoding.h"
#include "web_server.h"

static const struct {
	const char *path;
	enum web_what what;
	const char *content_type;
	bool is_long; /* it is sent as gzip to who takes it */
} routes[] = {
	{ "/", WEB_LANDING, "text/html; charset=utf-8", false },
	{ "/metrics", WEB_METRICS, NULL, true },
	{ "/-/healthy", WEB_HEALTHY, "text/plain; charset=utf-8", false },
	{ "/-/ready", WEB_READY, "text/plain; charset=utf-8", false },
	{ "/api/v1/breaches", WEB_BREACHES, "application/json", true },
	{ "/api/v1/loops", WEB_LOOPS, "application/json", true },
};

static void add(struct MHD_Response *response, const char *name, const char *value)
{
	sym_MHD_add_response_header(response, name, value);
}

static void add_common(struct MHD_Response *response)
{
	add(response, "X-Content-Type-Options", "nosniff");
	add(response, "Cache-Control", "no-store");
	add(response, "Content-Security-Policy", "default-src 'none'");
	add(response, "Connection", "close");
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
				 const char *text, const char *header, const char *value)
{
	struct MHD_Response *response = sym_MHD_create_response_from_buffer(
		strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	add_common(response);
	add(response, "Content-Type", "text/plain; charset=utf-8");
	if (header)
		add(response, header, value);
	result = sym_MHD_queue_response(connection, status, response);
	sym_MHD_destroy_response(response);
	return result;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return sym_MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Questions a second are bounded: each costs the daemon a rendering. */
static bool may_ask(struct web_server *server)
{
	uint64_t now_ns = web_now_ns();
	double most = server->settings.max_requests_per_second;

	if (server->tokens_ns)
		server->tokens += (double)(now_ns - server->tokens_ns) / 1e9 * most;
	else
		server->tokens = most;
	server->tokens_ns = now_ns;
	if (server->tokens > most)
		server->tokens = most;
	if (server->tokens < 1)
		return false;
	server->tokens -= 1;
	return true;
}

/* The page at /: what the daemon says of itself, as text that cannot become markup. */
static int make_page(struct web_body *body)
{
	static const char head[] = "<!DOCTYPE html><html lang=\"en\"><head><meta "
				   "charset=\"utf-8\"><title>loophound</title></head>"
				   "<body><h1>loophound</h1><p>What blocks the event loops of this "
				   "host's Python processes.</p>"
				   "<ul><li><a href=\"/metrics\">Metrics</a></li>"
				   "<li><a href=\"/api/v1/breaches\">Breaches</a> (JSON)</li>"
				   "<li><a href=\"/api/v1/loops\">Loops</a> (JSON)</li></ul><pre>";
	static const char tail[] = "</pre></body></html>\n";
	char *page = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&page, &bytes);

	if (!out)
		return -1;
	fputs(head, out);
	for (size_t i = 0; i < body->bytes; i++) {
		switch (body->data[i]) {
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '&': fputs("&amp;", out); break;
		default: putc_unlocked(body->data[i], out);
		}
	}
	fputs(tail, out);
	if (fclose(out)) {
		free(page);
		return -1;
	}
	free(body->data);
	body->data = page;
	body->bytes = bytes;
	return 0;
}

static enum MHD_Result send_body(struct MHD_Connection *connection, struct web_body *body,
				 const char *content_type, bool is_packed)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	response =
		sym_MHD_create_response_from_buffer(body->bytes, body->data, MHD_RESPMEM_MUST_FREE);
	if (!response)
		return MHD_NO;
	body->data = NULL;
	add_common(response);
	add(response, "Content-Type", content_type);
	add(response, "Vary", "Accept, Accept-Encoding");
	if (is_packed)
		add(response, "Content-Encoding", "gzip");
	result = sym_MHD_queue_response(connection, (unsigned)body->status, response);
	sym_MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(struct web_server *server, struct MHD_Connection *connection,
			      size_t route)
{
	enum web_what what = routes[route].what;
	const char *content_type = routes[route].content_type;
	bool is_packed = routes[route].is_long &&
			 web_accepts_gzip(header_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	cleanup_free char *data = NULL;
	struct web_body body;
	enum MHD_Result result;

	if (!may_ask(server))
		return send_text(connection, 429, "too many requests\n", "Retry-After", "1");
	if (what == WEB_METRICS) {
		enum exposition_format format = EXPOSITION_TEXT;

		if (web_accepts_openmetrics(header_of(connection, MHD_HTTP_HEADER_ACCEPT))) {
			format = EXPOSITION_OPENMETRICS;
			what = WEB_METRICS_OPENMETRICS;
		}
		content_type = exposition_content_type(format);
	}
	web_ask(server, what, is_packed, &body);
	if (!body.status)
		return send_text(connection, 503, "the daemon does not answer\n", NULL, NULL);
	data = body.data;
	if (what == WEB_LANDING && make_page(&body))
		return send_text(connection, 500, "no memory\n", NULL, NULL);
	data = NULL;
	result = send_body(connection, &body, content_type, is_packed);
	free(body.data);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection)
{
	return send_text(connection, 401, "who are you?\n", "WWW-Authenticate",
			 "Basic realm=\"loophound\", charset=\"UTF-8\"");
}

static enum web_auth_result check_user(struct web_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		sym_MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct web_address address;
	enum web_auth_result result;
	char *password = NULL;
	char *name;

	if (!server->settings.nr_users)
		return WEB_AUTH_OK;
	web_address_of(info ? info->client_addr : NULL, &address);
	name = sym_MHD_basic_auth_get_username_password(connection, &password);
	result = web_auth_check(&server->auth, name, password, &address, web_now_ns());
	if (password)
		explicit_bzero(password, strlen(password));
	sym_MHD_free(name);
	sym_MHD_free(password);
	return result;
}

/* From here on it is the answer that it may take its time for. */
static void note_asked(struct web_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		sym_MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info)
		web_connections_asked(&server->connections, info->connect_fd);
}

enum MHD_Result web_route(void *context, struct MHD_Connection *connection, const char *url,
			  const char *method, const char *version, const char *upload_data,
			  size_t *upload_data_size, void **state)
{
	struct web_server *server = context;

	(void)version;
	(void)upload_data;
	(void)upload_data_size;
	(void)state;
	note_asked(server, connection);
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return send_text(connection, 405, "GET and HEAD only\n", "Allow", "GET, HEAD");
	switch (check_user(server, connection)) {
	case WEB_AUTH_REFUSED: return refuse(connection);
	case WEB_AUTH_TOO_MANY:
		return send_text(connection, 429, "too many wrong passwords\n", "Retry-After", "1");
	case WEB_AUTH_OK: break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (!strcmp(url, routes[i].path))
			return answer(server, connection, i);
	return send_text(connection, 404, "not found\n", NULL, NULL);
}
