"""What the short way and the runner need of a request over HTTP/2; `server/http2_stream.py` is the rest."""

from fastpay._native.awaitables cimport DONE, Later
from fastpay._native.exchange cimport Answerable
from fastpay._native.runner cimport Runner


cdef class Http2Exchange(Answerable):
    """A request whose handler may be a coroutine, or one that answers at once or later without one."""

    def run(self, Runner runner not None, coroutine):
        self.runner = runner
        if coroutine is DONE:
            self.ended(None)
        elif type(coroutine) is not Later:
            # A Later ends the exchange by itself.
            runner.start(self, coroutine)

    def answer_at_once(self, list fields, bytes body):
        raise NotImplementedError

    def handler_ended(self, error):
        raise NotImplementedError

    cdef int ended(self, object error) except -1:
        self.handler_ended(error)
        return 0

    cdef int go_on(self, object coroutine) except -1:
        self.run(self.runner, coroutine)
        return 0

    cdef int answer(self, int status, bytes head, bytes body, str request_id, bytes version) except -1:
        cdef list fields = [(b":status", b"%d" % status)]
        cdef bytes line, name, value
        if self.started or self.lost or not self.is_plain:
            raise RuntimeError("a complete response twice, or before the request was read")
        for line in head.splitlines():
            name, _, value = line.partition(b": ")
            fields.append((name.lower(), value))
        fields.append((b"request-id", request_id.encode()))
        if version is not None:
            fields.append((b"stripe-version", version))
        fields.append((b"date", b""))
        self.status = status
        self.started = True
        self.answer_at_once(fields, b"" if self.is_head else body)
        return 0
