"""A mail server for the tests, on loopback: aiosmtpd with answers by recipient.

Arguments: JSON {"tls": bool, "starttls": bool, "auth": bool, "utf8": bool, "cert": file, "key": file}.
It prints the port, then one JSON line per mail. It ends when its input ends.
Recipients: later@ is refused for now (451) once, unknown@ for good (550), spam@ for good after the text (554),
lost@ is taken, and the connection is cut before the answer, once.
"""
import asyncio, base64, json, ssl, sys, threading

from aiosmtpd.smtp import SMTP, AuthResult

conf = json.loads(sys.argv[1])
seen = set()


def first(name):
    if name in seen:
        return False
    seen.add(name)
    return True


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later@") and first(address):
            return "451 4.7.1 greylisted, try again"
        if address.startswith("unknown@"):
            return "550 5.1.1 no such person here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        if to.startswith("spam@"):
            return "554 5.7.1 not wanted"
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None or conf.get("tls", False),
            "user": session.auth_data.decode() if session.authenticated else "", "hello": session.host_name,
            "data": base64.b64encode(envelope.original_content).decode(),
        }), flush=True)
        if to.startswith("lost@") and first(to):
            server.transport.abort()
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    ok = data.login == b"causeway" and data.password == b"geheim"
    return AuthResult(success=ok, handled=ok, auth_data=data.login)


async def main():
    context = None
    if conf.get("cert"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(conf["cert"], conf["key"])

    def factory():
        return SMTP(
            Handler(), hostname="mail.test", enable_SMTPUTF8=conf.get("utf8", False), tls_context=context if conf.get("starttls") else None,
            require_starttls=conf.get("starttls", False), auth_required=conf.get("auth", False), auth_require_tls=not conf.get("tls", False),
            authenticator=authenticate if conf.get("auth") else None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=context if conf.get("tls") else None)
    end = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(end.set)), daemon=True).start()
    print(server.sockets[0].getsockname()[1], flush=True)
    await end.wait()


asyncio.run(main())
