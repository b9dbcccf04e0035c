"""What none of the other lists has, or has only by way of something else: C code that waits, and drivers."""

TITLE = "On none of these lists"
CALLS = """
socket.getaddrinfo socket.gethostbyname socket.create_connection select.select
http.client.HTTPConnection.getresponse
os.open os.fsync os.chown os.lchown os.fchmod os.fchown fcntl.flock
queue.Queue.get queue.SimpleQueue.get threading.Event.wait threading.Condition.wait threading.Thread.join
concurrent.futures.Future.result
psycopg2.connect pymysql.connect redis.Redis.get pymongo.MongoClient.server_info sqlalchemy.Engine.connect
"""
ROWS = [("", name) for name in CALLS.split()] + [("", "boto3 s3.list_buckets"), ("", "os.sendfile (slow disk)")]
