"""Writes boto3.json: requests as botocore signs them, at a fixed time with fixed keys.

Run it in this folder: python3 boto3.py
No network is used: each request is caught before it is sent.
"""

import datetime
import io
import json
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.session

ENDPOINT = "http://127.0.0.1:4570"
NOW = datetime.datetime(2026, 11, 21, 10, 30, 0)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaD+Example/Session=Token"
ODD = "my set/\u00fc+a.b~c"

fixtures = []

botocore.auth.get_current_datetime = lambda *a, **k: NOW


def keep(name, method, url, headers, body):
    """Notes the request as it would go over the wire."""
    text = lambda v: v.decode("utf-8") if isinstance(v, bytes) else str(v)
    parts = urlsplit(url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{k}: {text(v)}" for k, v in headers.items()]
    fixtures.append({"name": name, "time": NOW.strftime("%Y%m%dT%H%M%SZ"),
                     "request": "\r\n".join(lines) + "\r\n\r\n" + text(body or b"")})


class Raw:
    def stream(self, *a, **k):
        yield b"{}"

    def read(self, *a, **k):
        return b"{}"


def client(service, token=None):
    session = botocore.session.Session()
    return session.create_client(
        service, region_name="us-east-1", endpoint_url=ENDPOINT,
        aws_access_key_id="AKIDSESSION" if token else "AKIDEXAMPLE", aws_secret_access_key=SECRET, aws_session_token=token,
        config=botocore.config.Config(user_agent="Boto3"))


def call(name, operation, token=None, **parameters):
    c = client("pinpoint-sms-voice", token)

    def catch(request, **_):
        keep(name, request.method, request.url, request.headers, request.body)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, Raw())

    c.meta.events.register("before-send", catch)
    getattr(c, operation)(**parameters)


def plain(name, signer, method, path, headers, body=b""):
    request = botocore.awsrequest.AWSRequest(method=method, url=ENDPOINT + path, headers=headers, data=body)
    signer.add_auth(request)
    prepared = request.prepare()
    keep(name, method, prepared.url, prepared.headers, prepared.body)


call("create a set", "create_configuration_set", ConfigurationSetName="calls")
call("list sets", "list_configuration_sets")
call("list with a query", "list_configuration_sets", PageSize="10", NextToken="a b==&c/d+\u00fc")
call("delete a set with an odd name", "delete_configuration_set", ConfigurationSetName=ODD)
call("create a destination", "create_configuration_set_event_destination", ConfigurationSetName=ODD,
     EventDestinationName="d", EventDestination={"Enabled": True, "MatchingEventTypes": ["ANSWERED"],
                                                "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t"}})
call("update a destination", "update_configuration_set_event_destination", ConfigurationSetName="calls",
     EventDestinationName="a%2Fb", EventDestination={})
call("send a message", "send_voice_message", DestinationPhoneNumber="+14255550159", OriginationPhoneNumber="+12065550153",
     Content={"PlainTextMessage": {"Text": "Gr\u00fc\u00dfe \U0001f600", "LanguageCode": "de-DE", "VoiceId": "Hans"}})
call("send a message with a session token", "send_voice_message", token=TOKEN, DestinationPhoneNumber="+14255550159",
     OriginationPhoneNumber="+12065550153", Content={"PlainTextMessage": {"Text": "hello"}})

key = botocore.credentials.Credentials("AKIDEXAMPLE", SECRET)
session_key = botocore.credentials.Credentials("AKIDSESSION", SECRET, TOKEN)
path = "/v1/sms-voice/configuration-sets"
plain("presigned", botocore.auth.SigV4QueryAuth(key, "sms-voice", "us-east-1", expires=3600), "GET", path + "?PageSize=5", {})
plain("presigned with a session token", botocore.auth.SigV4QueryAuth(session_key, "sms-voice", "us-east-1", expires=60), "GET",
      path + "/" + "my%20set%2F%C3%BC" + "/event-destinations", {})
plain("presigned with a signed header", botocore.auth.SigV4QueryAuth(key, "sms-voice", "us-east-1", expires=604800), "GET", path,
      {"X-Amz-User-Agent": "a  b", "Content-Type": "application/json"})
signer = botocore.auth.SigV4Auth(key, "sms-voice", "us-east-1")
plain("spaces inside header values", signer, "GET", path, {"X-Custom": "one   two  three"})
plain("many parameters of one name", signer, "GET", path + "?b=2&a=%2F&b=1&a=-&empty", {})

# The AWS SDK for Java 1 signs the User-Agent; botocore does once its list is empty.
botocore.auth.SIGNED_HEADERS_BLACKLIST = []
plain("a signed user agent", signer, "POST", path,
      {"User-Agent": "aws-sdk-java/1.12.1 Linux/6.1 OpenJDK", "Content-Type": "application/json",
       "amz-sdk-invocation-id": "0f5e2b6e-0000-4000-8000-000000000000", "amz-sdk-request": "attempt=1;max=4",
       "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"},
      b'{"ConfigurationSetName": "calls"}')

with io.open("boto3.json", "w", encoding="utf-8") as f:
    json.dump(fixtures, f, indent=1, ensure_ascii=True)
    f.write("\n")
