"""An agent in plain Python: a web server, and requests to the addresses in its environment."""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = os.environ["LONGHAUL_TOKEN"]
turns = []  # One instance answers one conversation, so this is its conversation.


def post(url, body):
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def answer(prompt):
    known = post(os.environ["LONGHAUL_MEMORY_URL"] + "/recall", {"query": prompt})["output"]
    turns.append({"role": "user", "content": prompt})
    system = f"Answer in one sentence. What you remember of who asks: {json.dumps(known)}"
    reply = post(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        {"model": "default", "messages": [{"role": "system", "content": system}, *turns]},
    )
    text = reply["choices"][0]["message"]["content"]
    turns.append({"role": "assistant", "content": text})
    post(os.environ["LONGHAUL_MEMORY_URL"] + "/remember", {"text": f"Asked: {prompt[:200]}", "kind": "episode"})
    return text


class Handler(BaseHTTPRequestHandler):
    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.reply(200, {"status": "Healthy"})

    def do_POST(self):
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply(200, {"response": answer(payload["prompt"]), "turns": len(turns) // 2})


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
