# Run: npx request-journal proxy --upstream https://api.openai.com --serve    Then: OPENAI_API_KEY=sk-... python3 examples/python_client.py
# With the openai package the base URL is all that changes: OpenAI(base_url="http://127.0.0.1:8791/v1")
import json
import os
import sys
import urllib.request

BASE_URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8791/v1")
QUESTION = sys.argv[1] if len(sys.argv) > 1 else "Why is the sky blue?"

body = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": QUESTION}],
    "stream": True,
    "stream_options": {"include_usage": True},  # without it, OpenAI tells no tokens of a stream
}
headers = {
    "authorization": "Bearer " + os.environ["OPENAI_API_KEY"],
    "content-type": "application/json",
}
request = urllib.request.Request(BASE_URL + "/chat/completions", json.dumps(body).encode(), headers)
with urllib.request.urlopen(request) as stream:
    for line in stream:
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:])["choices"]:
                print(choice["delta"].get("content") or "", end="", flush=True)
print()
