"""Submits mail over SMTP with smtplib: smtp_oracle.py PORT USER PASSWORD CERTIFICATE

Prints, as JSON, what the server answered to a mail that is in order, and to what is not.
"""

import json
import smtplib
import ssl
import sys

MAIL = """From: Shop <shop@example.com>
To: zoe@example.org
Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=
X-SES-CONFIGURATION-SET: %s
X-SES-MESSAGE-TAGS: campaign=spring, kind=order
X-Kind: order

.A line that begins with a dot.
"""


def connect(port, certificate, encrypt=True):
    smtp = smtplib.SMTP("127.0.0.1", port, timeout=30)
    if encrypt:
        smtp.starttls(context=ssl.create_default_context(cafile=certificate))
    smtp.ehlo()
    return smtp


def answer(call):
    """The code and the text of an answer, whether smtplib makes an error of it or not."""
    try:
        code, text = call()
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    except smtplib.SMTPException as error:  # smtplib itself refuses what the server does not offer
        return [0, str(error)]
    return [code, text.decode()]


def submit(smtp, configuration_set, to):
    smtp.mail("shop@example.com", ["size=1000"])
    code, text = smtp.rcpt(to)
    if code != 250:
        smtp.rset()
        return code, text
    return smtp.data(MAIL % configuration_set)


def main(port, user, password, certificate):
    port, answers = int(port), {}
    smtp = connect(port, certificate, encrypt=False)
    answers["plain login"] = answer(lambda: smtp.login(user, password))
    answers["plain mail"] = answer(lambda: smtp.mail("shop@example.com"))
    smtp.quit()
    smtp = connect(port, certificate)
    answers["mail without login"] = answer(lambda: smtp.mail("shop@example.com"))
    answers["wrong password"] = answer(lambda: smtp.login(user, password[:-1] + ("A" if password[-1] != "A" else "B")))
    smtp.quit()
    for method in "PLAIN", "LOGIN":
        smtp = connect(port, certificate)
        smtp.user, smtp.password = user, password
        answers["login " + method] = answer(lambda: smtp.auth(method, getattr(smtp, "auth_" + method.lower())))
        answers["mail " + method] = answer(lambda: submit(smtp, "orders", "zoe@example.org"))
        answers["no set " + method] = answer(lambda: submit(smtp, "none", "zoe@example.org"))
        smtp.quit()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
