"""Home Assistant (`homeassistant/block_async_io.py`): what it reports in production."""

TITLE = "Home Assistant block_async_io"
CALLS = """
http.client.HTTPConnection.putrequest time.sleep glob.glob glob.iglob os.walk os.listdir os.scandir builtins.open
importlib.import_module
ssl.SSLContext.load_default_certs ssl.SSLContext.load_verify_locations ssl.SSLContext.load_cert_chain
ssl.SSLContext.set_default_verify_paths
pathlib.Path.open pathlib.Path.read_text pathlib.Path.read_bytes pathlib.Path.write_text pathlib.Path.write_bytes
"""
ROWS = [("", name) for name in CALLS.split()]
