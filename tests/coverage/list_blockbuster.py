"""blockbuster 1.5.27 (`blockbuster/blockbuster.py`): what it raises on when a loop runs in the thread."""

TITLE = "blockbuster 1.5.27"
CALLS = """
time.sleep
os.getcwd os.statvfs os.sendfile os.rename os.remove os.unlink os.mkdir os.rmdir os.link os.symlink os.readlink
os.listdir os.access os.stat os.replace os.scandir.__next__ os.read os.write
os.path.ismount os.path.samestat os.path.sameopenfile os.path.islink os.path.abspath
io.BufferedReader.read io.BufferedWriter.write io.BufferedRandom.read io.BufferedRandom.write io.TextIOWrapper.read
io.TextIOWrapper.write
socket.socket.connect socket.socket.accept socket.socket.send socket.socket.sendall socket.socket.sendto
socket.socket.recv socket.socket.recv_into socket.socket.recvfrom socket.socket.recvfrom_into socket.socket.recvmsg
ssl.SSLSocket.write ssl.SSLSocket.send ssl.SSLSocket.read ssl.SSLSocket.recv
sqlite3.Cursor.execute sqlite3.Cursor.executemany sqlite3.Cursor.executescript sqlite3.Cursor.fetchone
sqlite3.Cursor.fetchmany sqlite3.Cursor.fetchall
sqlite3.Connection.execute sqlite3.Connection.executemany sqlite3.Connection.executescript
sqlite3.Connection.commit sqlite3.Connection.rollback
threading.Lock.acquire threading.Lock.acquire_lock
builtins.input
"""
ROWS = [("", name) for name in CALLS.split()]
