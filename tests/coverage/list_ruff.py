"""ruff (`crates/ruff_linter/src/rules/flake8_async/rules/*.rs`): ASYNC2xx."""

TITLE = "ruff ASYNC2xx"
HTTP = "get post delete patch put head connect options trace".split()
CLIENT = "close delete get head options patch post put request send stream".split()
SPAWN = "l le lp lpe v ve vp vpe".split()
PATHS = (
    "abspath exists expanduser getatime getctime getmtime getsize isdevdrive isdir isfile isjunction islink ismount "
    "isreserved lexists normpath realpath relpath samefile sameopenfile"
)
PATHLIB = (
    "absolute chmod cwd exists expanduser from_uri full_match glob group hardlink_to home is_block_device "
    "is_char_device is_dir is_fifo is_file is_junction is_mount is_socket is_symlink iterdir lchmod link_to lstat "
    "mkdir owner read_bytes read_text readlink rename replace resolve rglob rmdir samefile stat symlink_to touch "
    "unlink walk write_bytes write_text"
)

ROWS = [("ASYNC210", "urllib.request.urlopen"), ("ASYNC210", "urllib3.request")]
ROWS += [("ASYNC210", f"{library}.{name}") for library in ("httpx", "requests") for name in HTTP]
ROWS += [("ASYNC212", f"httpx.Client.{name}") for name in CLIENT]
ROWS += [("ASYNC220", name) for name in ["subprocess.Popen", "os.popen", *(f"os.spawn{each}" for each in SPAWN)]]
ROWS += [("ASYNC221", f"os.{name}") for name in ("system", "posix_spawn", "posix_spawnp")]
ROWS += [
    ("ASYNC221", f"subprocess.{name}")
    for name in "run call check_call check_output getoutput getstatusoutput".split()
]
ROWS += [("ASYNC221", f"os.spawn{each} (P_WAIT)") for each in SPAWN]
ROWS += [("ASYNC222", f"os.{name}") for name in "wait wait3 wait4 waitid waitpid".split()]
ROWS += [("ASYNC230", name) for name in "open io.open io.open_code pathlib.Path.open".split()]
ROWS += [("ASYNC240", f"os.path.{name}") for name in PATHS.split()]
ROWS += [("ASYNC240", f"pathlib.Path.{name}") for name in PATHLIB.split()]
ROWS += [("ASYNC250", "builtins.input"), ("ASYNC251", "time.sleep")]
