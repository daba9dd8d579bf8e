"""Goes through a scenario with boto3: boto3_oracle.py SERVICE URL SCENARIO

Prints a line per step that went wrong and how many went right, and ends with status 1 if
any went wrong. What a step means is said beside the type "step" of scenario_test.go.
"""

import json
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, url, step):
    key = (step.get("credentials") or ["test", "test"]) + [None]
    return boto3.client(
        step["service"] if step.get("service") else service,
        endpoint_url=url,
        region_name=step.get("region") or "us-east-1",
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        aws_session_token=key[2],
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )


def fill(value, values):
    """Replaces {NAME} in all strings of value, for each name of values."""
    if isinstance(value, str):
        for name, v in values.items():
            value = value.replace("{%s}" % name, v)
        return value
    if isinstance(value, list):
        return [fill(v, values) for v in value]
    if isinstance(value, dict):
        return {fill(k, values): fill(v, values) for k, v in value.items()}
    return value


def repetitions(step):
    if not step.get("times"):
        return [step]
    return [fill(step, {"n": "%03d" % (i + 1)}) for i in range(step["times"])]


def method_name(operation):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def plain(value):
    """Turns what stands for bytes and for times into them."""
    if isinstance(value, dict):
        if set(value) == {"$blob"}:
            return value["$blob"].encode()
        if set(value) == {"$time"}:
            return value["$time"]
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list) else value


def call(sms, step, arguments):
    out = getattr(sms, method_name(step["call"]))(**arguments)
    metadata = out.pop("ResponseMetadata")
    if metadata["HTTPStatusCode"] != step.get("status", 200) or not metadata.get("RequestId"):
        raise AssertionError("a success with the metadata %r" % metadata)
    return out


def perform(sms, step):
    arguments = plain(step.get("in") or {})
    member = step.get("list") or "ConfigurationSets"
    if not step.get("walk"):
        return call(sms, step, arguments)
    names = []
    while True:
        page = call(sms, step, arguments)
        names += page.get(member, [])
        if "NextToken" not in page:
            return {member: names}
        arguments["NextToken"] = page["NextToken"]


def mismatch(want, got):
    """Says where got is not what is wanted; None = it is."""
    if isinstance(want, dict):
        got = got if isinstance(got, dict) else {}
        for k in sorted(set(want) | set(got)):
            problem = mismatch(want.get(k), got.get(k))
            if problem:
                return ".%s%s" % (k, problem)
        return None
    if isinstance(want, list):
        got = got if isinstance(got, list) else []
        if len(want) != len(got):
            return " has %d elements %r, want %d" % (len(got), got, len(want))
        for i, (w, g) in enumerate(zip(want, got)):
            problem = mismatch(w, g)
            if problem:
                return "[%d]%s" % (i, problem)
        return None
    if isinstance(want, str) and want.startswith("~"):
        if isinstance(got, str) and re.search(want[1:], got):
            return None
        return " = %r, want a match for %s" % (got, want[1:])
    if want == "*" and got is not None or want == "#" and isinstance(got, (int, float)):
        return None
    if want is None and got in (None, [], {}):
        return None
    return None if want == got else " = %r, want %r" % (got, want)


def failure(sms, step, error):
    """Compares an error with the step's expectation."""
    got, metadata, want = error.response["Error"], error.response["ResponseMetadata"], step.get("error")
    seen = "%s %s %r" % (metadata["HTTPStatusCode"], got["Code"], got["Message"])
    if want is None:
        return "%s, want a success" % seen
    if (metadata["HTTPStatusCode"], got["Code"]) != (want["status"], want["code"]):
        return "%s, want %s %s" % (seen, want["status"], want["code"])
    if not metadata.get("RequestId"):
        return "%s has no request ID" % seen
    # A modelled error has a class of its own, and its member Message beside the common one.
    shape = sms.meta.service_model.shape_for_error_code(got["Code"])
    modelled = getattr(sms.exceptions, shape.name) if shape else None
    if modelled and not isinstance(error, modelled):
        return "%s became a %s" % (seen, type(error).__name__)
    if modelled and "Message" in shape.members and error.response.get("Message") != got["Message"]:
        return "%s has the member Message %r" % (seen, error.response.get("Message"))
    if not modelled and not want.get("untyped") and sms.meta.service_model.signing_name == "ses":
        return "%s has no type" % seen
    for name, value in (want.get("members") or {}).items():
        problem = mismatch(value, error.response.get(name, got.get(name)))
        if problem:
            return "%s: %s%s" % (seen, name, problem)
    if modelled and sms.meta.service_model.service_name == "pinpoint" and error.response.get("RequestID") != metadata["RequestId"]:
        return "%s has the member RequestID %r" % (seen, error.response.get("RequestID"))
    return mismatch(want["message"], got["Message"])


def save(step, values, out):
    """Adds to values what the step keeps of its result."""
    for name, path in (step.get("save") or {}).items():
        value = out
        for member in path.split("."):
            value = value[member]
        values[name] = value


def check(service, url, step, values):
    sms = client(service, url, step)
    try:
        out = perform(sms, step)
    except ClientError as error:
        return failure(sms, step, error)
    if step.get("error"):
        return "a success, want %(status)s %(code)s" % step["error"]
    problem = mismatch(step.get("out"), out)
    if not problem:
        save(step, values, out)
    return problem


def main(service, url, path):
    with open(path, encoding="utf-8") as file:
        scenario = json.load(file)
    right, wrong, values = 0, 0, {}
    for step in scenario["steps"]:
        for i, repetition in enumerate(repetitions(step)):
            problem = check(service, url, fill(repetition, values), values)
            if problem:
                wrong += 1
                print("%s (%d): %s: %s" % (step["title"], i + 1, step["call"], problem))
            else:
                right += 1
    print("%d steps right, %d wrong" % (right, wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
