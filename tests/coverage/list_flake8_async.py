"""flake8-async (`flake8_async/visitors/visitor2xx.py`): ASYNC2xx.  Of "any method", the public ones that do I/O."""

TITLE = "flake8-async ASYNC2xx"
HTTP = "get options head post put patch delete".split()
SPAWN = "l le lp lpe v ve vp vpe".split()
TEXT = "read readline readlines write writelines flush truncate seek tell close fileno".split()
READER = "read readline readlines peek read1 readinto readinto1 seek tell close fileno".split()
WRITER = "write writelines flush truncate seek tell close fileno".split()
PATHS = (
    "_path_normpath normpath _joinrealpath islink lexists ismount realpath exists isdir isfile getatime getctime "
    "getmtime getsize samefile sameopenfile relpath"
)

ROWS = [("ASYNC210", f"{library}.{name}") for library in ("requests", "httpx", "httpx2") for name in [*HTTP, "request"]]
ROWS += [("ASYNC210", "urllib3.request"), ("ASYNC210", "urllib.request.urlopen")]
ROWS += [("ASYNC211", f"urllib3 request({name.upper()})") for name in [*HTTP, "trace", "connect"]]
for library in ("httpx", "httpx2"):
    ROWS += [("ASYNC212", f"{library}.Client.{name}") for name in [*HTTP, "close", "request", "send", "stream"]]
for pool in ("HTTPConnectionPool", "HTTPSConnectionPool", "PoolManager", "ProxyManager"):
    methods = ["request", "urlopen", "request_encode_url", "request_encode_body"]
    methods.append("clear" if pool.endswith("Manager") else "close")
    ROWS += [("ASYNC212", f"urllib3.{pool}.{name}") for name in methods]
ROWS += [("ASYNC220", name) for name in ["subprocess.Popen", "os.popen", *(f"os.spawn{each}" for each in SPAWN)]]
ROWS += [
    ("ASYNC221", f"subprocess.{name}")
    for name in "run call check_call check_output getoutput getstatusoutput".split()
]
ROWS += [("ASYNC221", f"os.{name}") for name in ("system", "posix_spawn", "posix_spawnp")]
ROWS += [("ASYNC221", f"os.spawn{each} (P_WAIT)") for each in SPAWN]
ROWS += [("ASYNC222", f"os.{name}") for name in "wait wait3 wait4 waitid waitpid".split()]
ROWS += [("ASYNC230", name) for name in "open builtins.open io.open io.open_code".split()]
ROWS += [("ASYNC231", "os.fdopen")]
ROWS += [("ASYNC232", f"io.TextIOWrapper.{name}") for name in TEXT]
ROWS += [("ASYNC232", f"io.BufferedReader.{name}") for name in READER]
ROWS += [("ASYNC232", f"io.BufferedWriter.{name}") for name in WRITER]
ROWS += [("ASYNC232", f"io.BufferedRandom.{name}") for name in dict.fromkeys(READER + WRITER)]
ROWS += [("ASYNC240", f"os.path.{name}") for name in PATHS.split()]
ROWS += [("ASYNC250", "builtins.input"), ("ASYNC251", "time.sleep")]
