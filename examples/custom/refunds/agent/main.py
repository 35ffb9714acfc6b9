"""An agent whose calls need a person's yes: it says what it waits for, ends, and is asked again when somebody has decided."""

import json
import os
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Waits(Exception):
    """Nobody has decided yet. `args[0]` is what the door said, and what an invocation is answered with in order to sleep."""


def post(url, body):
    """Posts to the door. Raises `Waits` where a person has been asked, and `PermissionError` where they said no."""
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {os.environ['LONGHAUL_TOKEN']}",
            "Content-Type": "application/json",
            "Prefer": "respond-async",  # Have a person asked, in place of a refusal.
        },
    )
    try:
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise PermissionError(json.load(error)["error"]["message"]) from error
    if response.status == 202:
        raise Waits(answer)
    return answer


def refund(order, amount):
    # From here on this may be executed again from its top: what was asked before is found again, and what was done is not done twice.
    words = post(
        os.environ["LONGHAUL_APPROVALS_URL"],
        {
            "title": f"What do we tell the customer of order {order}?",
            "detail": {"order": order, "amount": amount},
            "fields": [{"name": "words", "kind": "text", "default": "Your money is on its way."}],
        },
    )["approval"]
    if words["state"] != "approved":
        return f"Order {order} is left alone: {words['comment'] or 'nobody wanted to write to the customer.'}"
    try:
        post(
            os.environ["LONGHAUL_TOOLS_URL"] + "/http_request",
            {"method": "POST", "url": os.environ["SHOP_URL"] + "/refunds", "body": json.dumps({"order": order, "amount": amount, **words["answers"]})},
        )
    except PermissionError as refusal:
        return f"Order {order} is not refunded. {refusal}"
    return f"Order {order}: {amount} EUR are refunded."


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
        try:
            self.reply(200, {"response": refund(payload["order"], payload["amount"])})
        except Waits as waits:
            self.reply(202, waits.args[0])


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
