"""Verifies the DKIM signatures of a mail: verify.py NAME VALUE … < mail, with the TXT records by name.

Prints the domain of every signature that is good, and fails if there is one that is not.
"""

import re
import sys

import dkim

records = dict(zip(sys.argv[1::2], sys.argv[2::2]))
message = sys.stdin.buffer.read()


def lookup(name, timeout=5):
    value = records.get(name.decode().rstrip("."))
    return value.encode() if value else None


for i in range(len(re.findall(rb"(?mi)^DKIM-Signature:", message.split(b"\r\n\r\n")[0]))):
    signature = dkim.DKIM(message)
    if not signature.verify(idx=i, dnsfunc=lookup):
        sys.exit(f"signature {i} is not good")
    print(signature.domain.decode())
