"""Plants urllib.request.urlopen() of a server that answers late."""

import urllib.request

from peer import Peer
from truth import planted, repeat, run

peer = Peer("late-http", 0.12)
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
first = Peer("late-http", 0)
urllib.request.urlopen(f"http://{first.greeting}/", timeout=30).read()  # it imports, which is another fault


class Client:
    def fetch(self):
        with planted("http_urlopen", "network", target=peer.greeting):
            return urllib.request.urlopen(f"http://{peer.greeting}/", timeout=30).read()


async def handler():
    Client().fetch()


async def plant():
    await repeat(3, handler)


run(plant)
