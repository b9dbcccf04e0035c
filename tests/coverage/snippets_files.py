"""Calls on files and folders, all on the slow disk."""

from snippet import Snippet as S

NO_PATH = "compares two results: no system call"
TEXT = "works on the text of the path: no system call"
NO_DISK = "getcwd(): the kernel knows it without asking the disk"

ONE_PATH = {
    "os.statvfs": "os.statvfs(path)",
    "os.remove": "os.remove(path)",
    "os.unlink": "os.unlink(path)",
    "os.access": "os.access(path, os.R_OK)",
    "os.stat": "os.stat(path)",
    "os.path.ismount": "os.path.ismount(path)",
    "os.path.islink": "os.path.islink(path)",
    "os.path.lexists": "os.path.lexists(path)",
    "os.path.exists": "os.path.exists(path)",
    "os.path.realpath": "os.path.realpath(path)",
    "os.path.isdir": "os.path.isdir(path)",
    "os.path.isfile": "os.path.isfile(path)",
    "os.path.getatime": "os.path.getatime(path)",
    "os.path.getctime": "os.path.getctime(path)",
    "os.path.getmtime": "os.path.getmtime(path)",
    "os.path.getsize": "os.path.getsize(path)",
    "os.path.samefile": "os.path.samefile(path, at.root)",
    "os.rename": "os.rename(path, path + '2')",
    "os.replace": "os.replace(path, path + '2')",
    "os.link": "os.link(path, path + '2')",
    "builtins.open": "open(path)",
    "open": "open(path, 'rb')",
    "io.open": "io.open(path)",
    "io.open_code": "io.open_code(path)",
}

PATHLIB = {
    "chmod": "path.chmod(0o600)",
    "exists": "path.exists()",
    "hardlink_to": "path.with_suffix('.2').hardlink_to(path)",
    "is_block_device": "path.is_block_device()",
    "is_char_device": "path.is_char_device()",
    "is_dir": "path.is_dir()",
    "is_fifo": "path.is_fifo()",
    "is_file": "path.is_file()",
    "is_mount": "path.is_mount()",
    "is_socket": "path.is_socket()",
    "is_symlink": "path.is_symlink()",
    "link_to": "path.link_to(path.with_suffix('.2'))",
    "lstat": "path.lstat()",
    "open": "path.open()",
    "owner": "path.owner()",
    "read_bytes": "path.read_bytes()",
    "read_text": "path.read_text()",
    "rename": "path.rename(path.with_suffix('.2'))",
    "replace": "path.replace(path.with_suffix('.2'))",
    "resolve": "path.resolve()",
    "samefile": "path.samefile(at.root)",
    "stat": "path.stat()",
    "touch": "path.touch()",
    "unlink": "path.unlink()",
    "write_bytes": "path.write_bytes(b'late')",
    "write_text": "path.write_text('late')",
    "is_junction": "path.is_junction()",
}

SNIPPETS = {name: S(do, "file", "path = at.file()") for name, do in ONE_PATH.items()}
SNIPPETS |= {
    f"pathlib.Path.{name}": S(do, "file", "path = pathlib.Path(at.file())", needs=f"pathlib.Path.{name}")
    for name, do in PATHLIB.items()
}
SNIPPETS["pathlib.Path.is_junction"] = S(
    "path.is_junction()", given="path = pathlib.Path(at.file())", needs="pathlib.Path.is_junction",
    quick="false on Linux: no system call",
)  # fmt: skip

SNIPPETS |= {
    "os.getcwd": S("os.getcwd()", quick=NO_DISK),
    "os.mkdir": S("os.mkdir(path)", "file", "path = at.fresh()"),
    "os.rmdir": S("os.rmdir(path)", "file", "path = at.folder(0)"),
    "os.symlink": S("os.symlink('late', path)", "file", "path = at.fresh()"),
    "os.readlink": S("os.readlink(path)", "file", "path = at.link()"),
    "os.listdir": S("os.listdir(path)", "file", "path = at.folder()"),
    "os.scandir": S("os.scandir(path)", "file", "path = at.folder()"),
    "os.scandir.__next__": S("next(entries)", "file", "entries = os.scandir(at.folder())"),
    "os.walk": S("list(os.walk(path))", "file", "path = at.folder()"),
    "glob.glob": S("glob.glob(path + '/*')", "file", "path = at.folder()"),
    "glob.iglob": S("list(glob.iglob(path + '/*'))", "file", "path = at.folder()"),
    "os.sendfile": S(
        "os.sendfile(out.fileno(), file.fileno(), 0, 1 << 22)", "network",
        "file = tempfile.TemporaryFile(); file.truncate(1 << 22); out = at.outgoing()",
    ),
    "os.sendfile (slow disk)": S(
        "os.sendfile(out.fileno(), file.fileno(), 0, 20000)", "file",
        "file = open(at.file(), 'rb'); out = at.outgoing()",
    ),
    "os.read": S("os.read(reader, 8)", "pipe", "reader = at.pipe()"),
    "os.write": S("os.write(writer, b'late')", "pipe", "writer = at.full_pipe()"),
    "os.path.samestat": S("os.path.samestat(one, one)", given="one = os.stat(at.root)", quick=NO_PATH),
    "os.path.sameopenfile": S(
        "os.path.sameopenfile(file.fileno(), file.fileno())", "file", "file = open(at.file())"
    ),
    "os.path.abspath": S("os.path.abspath('late')", quick=NO_DISK),
    "os.path.relpath": S("os.path.relpath('late')", quick=NO_DISK),
    "os.path.normpath": S("os.path.normpath('late/..')", quick=TEXT),
    "os.path._path_normpath": S("os.path._path_normpath('late/..')", needs="posixpath._path_normpath", quick=TEXT),
    "os.path._joinrealpath": S(
        "os.path._joinrealpath('', path, *strict, {})", "file",
        "path = at.file(); strict = [False] * (sys.version_info >= (3, 10))", needs="posixpath._joinrealpath",
    ),
    "os.path.expanduser": S("os.path.expanduser('~')", quick="reads $HOME: no system call"),
    "os.path.isjunction": S(
        "os.path.isjunction(at.root)", needs="posixpath.isjunction", quick="false on Linux: no system call"
    ),
    "os.path.isdevdrive": S(
        "os.path.isdevdrive(at.root)", needs="posixpath.isdevdrive", quick="false on Linux: no system call"
    ),
    "os.path.isreserved": S("os.path.isreserved(at.root)", needs="posixpath.isreserved", quick="Windows only"),
    "os.fdopen": S("os.fdopen(number)", "file", "number = os.open(at.file(), os.O_RDONLY)"),
    "os.open": S("os.open(path, os.O_RDONLY)", "file", "path = at.file()"),
    "os.fsync": S("os.fsync(file.fileno())", "file", "file = open(at.file(), 'w'); file.write('late')"),
    "pathlib.Path.absolute": S("path.absolute()", given="path = pathlib.Path('late')", quick=NO_DISK),
    "pathlib.Path.cwd": S("pathlib.Path.cwd()", quick=NO_DISK),
    "pathlib.Path.home": S("pathlib.Path.home()", quick="reads $HOME: no system call"),
    "pathlib.Path.expanduser": S("pathlib.Path('~').expanduser()", quick="reads $HOME: no system call"),
    "pathlib.Path.group": S(
        "path.group()", "file", "path = pathlib.Path(at.file())", raises="KeyError"  # a chroot has no /etc/group
    ),
    "pathlib.Path.lchmod": S(
        "path.lchmod(0o600)", "file", "path = pathlib.Path(at.file())"
    ),
    "os.chown": S("os.chown(path, 0, 0)", "file", "path = at.file()"),
    "os.lchown": S("os.lchown(path, 0, 0)", "file", "path = at.file()"),
    "os.fchmod": S("os.fchmod(file.fileno(), 0o600)", "file", "file = open(at.file())"),
    "os.fchown": S("os.fchown(file.fileno(), 0, 0)", "file", "file = open(at.file())"),
    "pathlib.Path.glob": S("list(path.glob('*'))", "file", "path = pathlib.Path(at.folder())"),
    "pathlib.Path.rglob": S("list(path.rglob('*'))", "file", "path = pathlib.Path(at.folder())"),
    "pathlib.Path.iterdir": S("list(path.iterdir())", "file", "path = pathlib.Path(at.folder())"),
    "pathlib.Path.walk": S(
        "list(path.walk())", "file", "path = pathlib.Path(at.folder())", needs="pathlib.Path.walk"
    ),
    "pathlib.Path.mkdir": S("path.mkdir()", "file", "path = pathlib.Path(at.fresh())"),
    "pathlib.Path.rmdir": S("path.rmdir()", "file", "path = pathlib.Path(at.folder(0))"),
    "pathlib.Path.readlink": S("path.readlink()", "file", "path = pathlib.Path(at.link())"),
    "pathlib.Path.symlink_to": S("path.symlink_to('late')", "file", "path = pathlib.Path(at.fresh())"),
    "pathlib.Path.from_uri": S(
        "pathlib.Path.from_uri('file:///late')", needs="pathlib.Path.from_uri", quick=TEXT
    ),
    "pathlib.Path.full_match": S(
        "pathlib.Path('late').full_match('l*')", needs="pathlib.Path.full_match", quick=TEXT
    ),
}  # fmt: skip

# Written are more than the 128 KiB that a buffer has from 3.14 on.
KINDS = {
    "TextIOWrapper": ("'r'", "'w'", "('late' * 80000)"),
    "BufferedReader": ("'rb'", "", ""),
    "BufferedWriter": ("", "'wb'", "bytes(320000)"),
    "BufferedRandom": ("'r+b'", "'r+b'", "bytes(320000)"),
}
READS = {"read": "file.read()", "readline": "file.readline()", "readlines": "file.readlines()"}
BUFFERED_READS = {"peek": "file.peek()", "read1": "file.read1()", "readinto": "file.readinto(bytearray(9000))"}
BUFFERED_READS["readinto1"] = "file.readinto1(bytearray(9000))"

for kind, (read_mode, write_mode, data) in KINDS.items():
    if read_mode:
        reads = READS if kind == "TextIOWrapper" else READS | BUFFERED_READS
        for name, do in reads.items():
            SNIPPETS[f"io.{kind}.{name}"] = S(do, "file", f"file = open(at.file(), {read_mode})")
    if write_mode:
        given = f"file = open(at.file(), {write_mode})"
        SNIPPETS[f"io.{kind}.write"] = S(f"file.write({data})", "file", given)
        SNIPPETS[f"io.{kind}.writelines"] = S(f"file.writelines([{data}])", "file", given)
        SNIPPETS[f"io.{kind}.flush"] = S("file.flush()", "file", f"{given}; file.write({data}[:9])")
        SNIPPETS[f"io.{kind}.truncate"] = S("file.truncate(5)", "file", given)
    given = f"file = open(at.file(), {read_mode or write_mode})"
    SNIPPETS[f"io.{kind}.close"] = S("file.close()", "file", given)
    SNIPPETS[f"io.{kind}.seek"] = S("file.seek(0, os.SEEK_END)", "file", given)
    SNIPPETS[f"io.{kind}.tell"] = S("file.tell()", given=given, quick="lseek(): the kernel knows")
    SNIPPETS[f"io.{kind}.fileno"] = S("file.fileno()", given=given, quick="no system call")
