"""Sockets, TLS, HTTP, name look-ups and the drivers of databases; what they talk to answers late."""

from snippet import Snippet as S

BLOB = "bytes(1 << 22)"

SNIPPETS = {
    "socket.socket.connect": S(
        "near.connect(address)", "network", "near = socket.socket(); near.settimeout(0.06); address = at.crowded()",
        raises="OSError",
    ),
    "socket.socket.accept": S("listener.accept()", "network", "listener = at.listener()"),
    "socket.socket.send": S(f"near.send({BLOB})", "network", "near = at.outgoing()"),
    "socket.socket.sendall": S(f"near.sendall({BLOB})", "network", "near = at.outgoing()"),
    "socket.socket.sendto": S("near.sendto(b'late', address)", "network", "near, address = at.full_mailbox()"),
    "socket.socket.recv": S("near.recv(8)", "network", "near = at.incoming()"),
    "socket.socket.recv_into": S("near.recv_into(bytearray(8))", "network", "near = at.incoming()"),
    "socket.socket.recvfrom": S("near.recvfrom(8)", "network", "near = at.incoming(socket.SOCK_DGRAM)"),
    "socket.socket.recvfrom_into": S(
        "near.recvfrom_into(bytearray(8))", "network", "near = at.incoming(socket.SOCK_DGRAM)"
    ),
    "socket.socket.recvmsg": S("near.recvmsg(8)", "network", "near = at.incoming()"),
    "ssl.SSLSocket.read": S("near.read(8)", "network", "near = at.tls(b'ask')"),
    "ssl.SSLSocket.recv": S("near.recv(8)", "network", "near = at.tls(b'ask')"),
    "ssl.SSLSocket.write": S(f"near.write({BLOB})", "network", "near = at.tls(b'stop')"),
    "ssl.SSLSocket.send": S(f"near.send({BLOB})", "network", "near = at.tls(b'stop')"),
    "socket.getaddrinfo": S("socket.getaddrinfo('late.loophound.test', 80)", "dns"),
    "socket.gethostbyname": S("socket.gethostbyname('late2.loophound.test')", "dns"),
    "socket.create_connection": S(
        "socket.create_connection(address, 0.06)", "network", "address = at.crowded()", raises="OSError"
    ),
    "select.select": S("select.select([near], [], [])", "network", "near = at.incoming()"),
    "http.client.HTTPConnection.getresponse": S(
        "connection.getresponse()", "network",
        "connection = http.client.HTTPConnection('127.0.0.1', at.http_port); connection.request('GET', '/')",
    ),
    "urllib.request.urlopen": S("urllib.request.urlopen(at.http)", "network"),
    "http.client.HTTPConnection.putrequest": S(
        "connection.putrequest('GET', '/')", given="connection = http.client.HTTPConnection('127.0.0.1', at.http_port)",
        quick="fills a buffer: endheaders() connects, getresponse() waits",
    ),
}  # fmt: skip

HTTP_METHODS = "get options head post put patch delete".split()

for library in ("requests", "httpx", "httpx2"):
    given = f"import {library}"
    for name in HTTP_METHODS + ["connect", "trace"]:
        full = f"{library}.{name}"
        SNIPPETS[full] = S(f"{full}(at.http)", "network", given, needs=full)
    SNIPPETS[f"{library}.request"] = S(
        f"{library}.request('GET', at.http)", "network", given, needs=f"{library}.request"
    )

for library in ("httpx", "httpx2"):
    given = f"import {library}; client = {library}.Client(); client.get(at.http)"
    of = f"{library}.Client"
    for name in HTTP_METHODS:
        SNIPPETS[f"{of}.{name}"] = S(f"client.{name}(at.http)", "network", given, needs=of)
    SNIPPETS[f"{of}.request"] = S("client.request('GET', at.http)", "network", given, needs=of)
    SNIPPETS[f"{of}.send"] = S(
        "client.send(request)", "network", f"{given}; request = client.build_request('GET', at.http)", needs=of
    )
    SNIPPETS[f"{of}.stream"] = S("client.stream('GET', at.http).__enter__()", "network", given, needs=of)
    SNIPPETS[f"{of}.close"] = S(
        "client.close()", given=given, needs=of, quick="closes idle sockets: nothing to wait for"
    )

SNIPPETS["urllib3.request"] = S(
    "urllib3.request('GET', at.http)", "network", "import urllib3", needs="urllib3.request"
)

for name in [*HTTP_METHODS, "trace", "connect"]:
    SNIPPETS[f"urllib3 request({name.upper()})"] = S(
        f"pool.request('{name.upper()}', at.http)", "network",
        "import urllib3; pool = urllib3.PoolManager()", needs="urllib3.PoolManager",
    )  # fmt: skip

POOLS = {
    "HTTPConnectionPool": ("urllib3.HTTPConnectionPool('127.0.0.1', at.http_port)", "'/'"),
    "HTTPSConnectionPool": (
        "urllib3.HTTPSConnectionPool('127.0.0.1', at.https_port, cert_reqs='CERT_NONE', assert_hostname=False)", "'/'"
    ),
    "PoolManager": ("urllib3.PoolManager()", "at.http"),
    "ProxyManager": ("urllib3.ProxyManager(at.http)", "at.http"),
}  # fmt: skip
for name, (pool, url) in POOLS.items():
    given = f"import urllib3; urllib3.disable_warnings(); pool = {pool}"
    of = f"urllib3.{name}"
    for method in ("request", "urlopen", "request_encode_url", "request_encode_body"):
        SNIPPETS[f"{of}.{method}"] = S(f"pool.{method}('GET', {url})", "network", given, needs=of)
    method = "clear" if name.endswith("Manager") else "close"
    SNIPPETS[f"{of}.{method}"] = S(
        f"pool.{method}()", given=f"{given}; pool.request('GET', {url})", needs=of,
        quick="closes idle sockets: nothing to wait for",
    )  # fmt: skip

RUDE = "host='127.0.0.1', port=at.rude_port"
DRIVERS = {
    "psycopg2.connect": (f"psycopg2.connect({RUDE}, sslmode='disable')", "psycopg2", "network"),
    "pymysql.connect": (f"pymysql.connect({RUDE}, user='late')", "pymysql", "network"),
    "redis.Redis.get": (f"redis.Redis({RUDE}).get('late')", "redis", "network"),
    "pymongo.MongoClient.server_info": (
        "pymongo.MongoClient('127.0.0.1', at.rude_port, serverSelectionTimeoutMS=60).server_info()", "pymongo", "lock",
    ),
    "sqlalchemy.Engine.connect": (
        "sqlalchemy.create_engine(f'mysql+pymysql://late@127.0.0.1:{at.rude_port}/').connect()",
        "sqlalchemy", "network",
    ),
}  # fmt: skip
for name, (do, module, cause) in DRIVERS.items():
    SNIPPETS[name] = S(do, cause, f"import {module}", needs=module, raises="Exception")
SNIPPETS["boto3 s3.list_buckets"] = S(
    "client.list_buckets()", "network",
    "import boto3, botocore.config; once = botocore.config.Config(retries={'total_max_attempts': 1}); "
    "keys = dict(aws_access_key_id='late', aws_secret_access_key='late', region_name='late'); "
    "client = boto3.client('s3', endpoint_url=at.http, config=once, **keys)",
    needs="boto3", raises="Exception",
)  # fmt: skip
