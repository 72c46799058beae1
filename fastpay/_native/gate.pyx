"""The gate in front of the HTTP parser: it checks every framing byte and can only refuse.

llhttp reads the requests; the gate decides which bytes llhttp sees. It walks a head (RFC 9112 2 to 5) or
the framing of a chunked body (7.1) one byte at a time and in order.

    head:     METHOD SP TARGET SP VERSION CRLF (NAME ":" VALUE CRLF)* CRLF
    chunked:  (SIZE CRLF DATA CRLF)* "0" CRLF (NAME ":" VALUE CRLF)* CRLF

Invariants:

- The state after n bytes depends on these bytes only, and never on how they were split into packets: every
  function continues from the saved state and position.
- A head reaches llhttp only after the gate has accepted its last byte.
- Bounds are checked at fixed offsets, so that the verdict on an oversized head is the same in one packet
  and in many.

docs/HTTP.md has the rules as a table.
"""

cdef enum State:
    METHOD
    TARGET
    VERSION
    LINE_FEED
    HEADER_START
    NAME
    VALUE
    VALUE_LINE_FEED
    LAST_LINE_FEED
    SIZE
    SIZE_LINE_FEED
    DATA
    DATA_RETURN
    DATA_LINE_FEED
    TRAILER_START

cdef enum Kind:
    TOKEN = 1
    TARGET_BYTE = 2
    VALUE_BYTE = 4
    UPPER = 8
    HEX = 16

cdef enum:
    METHOD_BYTES = 16
    VERSION_BYTES = 8
    SIZE_DIGITS = 8

cdef unsigned char kinds[256]
cdef const char* VERSION_PREFIX = b"HTTP/1."


cdef void _fill() noexcept:
    cdef int byte
    cdef bytes token = b"!#$%&'*+-.^_`|~0123456789"
    cdef bytes target = b"-._~!$&'()*+,;=:@/?%[]0123456789"
    for byte in range(256):
        kinds[byte] = 0
        if 65 <= byte <= 90 or 97 <= byte <= 122:
            kinds[byte] |= TOKEN | TARGET_BYTE
        if 65 <= byte <= 90:
            kinds[byte] |= UPPER
        if byte == 9 or byte >= 32 and byte != 127:
            kinds[byte] |= VALUE_BYTE
        if 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102:
            kinds[byte] |= HEX
    for byte in token:
        kinds[byte] |= TOKEN
    for byte in target:
        kinds[byte] |= TARGET_BYTE


_fill()


cdef void begin_head(HeadGate* gate) noexcept nogil:
    gate.position = 0
    gate.target_start = 0
    gate.target_end = 0
    gate.headers_start = 0
    gate.state = METHOD
    gate.header_count = 0
    gate.method_length = 0
    gate.is_version_1_0 = False


cdef Verdict judge_head(
    HeadGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds
) noexcept nogil:
    # Judge data[gate.position:length]; `data` starts at the head's first byte. After DONE, `gate.position`
    # is the length of the head.
    cdef Verdict verdict
    if gate.state <= LINE_FEED:
        verdict = _judge_request_line(gate, data, length, bounds)
        if verdict != DONE:
            return verdict
    return _judge_headers(gate, data, length, bounds)


cdef Verdict _judge_request_line(
    HeadGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds
) noexcept nogil:
    cdef Py_ssize_t at = gate.position
    cdef Py_ssize_t index
    cdef Py_ssize_t stop
    cdef unsigned char byte
    while at < length:
        byte = data[at]
        if gate.state == METHOD:
            if byte == c" " and at > 0:
                gate.method_length = <int>at
                gate.target_start = at + 1
                gate.state = TARGET
            elif (byte == c"\r" or byte == c"\n") and at == 0:
                return REFUSED_EMPTY_LINE
            elif not kinds[byte] & TOKEN:
                return REFUSED_SYNTAX
            elif at >= METHOD_BYTES:
                return REFUSED_METHOD
        elif gate.state == TARGET:
            # The inner loop skips the bulk of this line.
            stop = min(length, gate.target_start + bounds.target_bytes)
            while kinds[byte] & TARGET_BYTE and at < stop:
                at += 1
                if at >= length:
                    break
                byte = data[at]
            if at >= length:
                break
            if byte == c" ":
                if at == gate.target_start:
                    return REFUSED_SYNTAX
                gate.target_end = at
                gate.state = VERSION
            elif byte == c"\r" or byte == c"\n":
                # HTTP/0.9 (no version), or a target that ends at a line break (RFC 9112 3).
                return REFUSED_VERSION
            elif not kinds[byte] & TARGET_BYTE:
                return REFUSED_TARGET_CHARACTER
            elif at - gate.target_start >= bounds.target_bytes:
                return REFUSED_TARGET_LENGTH
        elif gate.state == VERSION:
            index = at - gate.target_end - 1
            if index < VERSION_BYTES - 1:
                if byte != VERSION_PREFIX[index]:
                    return REFUSED_VERSION
            elif index == VERSION_BYTES - 1:
                if byte != c"0" and byte != c"1":
                    return REFUSED_VERSION
                gate.is_version_1_0 = byte == c"0"
            elif byte == c"\r":
                gate.state = LINE_FEED
            else:
                return REFUSED_LINE_END if byte == c"\n" else REFUSED_VERSION
        elif byte == c"\n":
            gate.state = HEADER_START
            gate.headers_start = at + 1
            gate.position = at + 1
            return DONE
        else:
            return REFUSED_LINE_END
        at += 1
    gate.position = at
    return MORE


cdef Verdict _judge_headers(
    HeadGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds
) noexcept nogil:
    cdef Py_ssize_t at = gate.position
    cdef Py_ssize_t end = gate.headers_start + bounds.header_bytes
    cdef int state = gate.state
    cdef unsigned char byte
    while at < length:
        # Before the byte is judged: one beyond the bound is refused for the size.
        if at >= end:
            return REFUSED_HEADER_BYTES
        byte = data[at]
        if state == VALUE:
            while kinds[byte] & VALUE_BYTE:
                at += 1
                if at >= length:
                    break
                if at >= end:
                    return REFUSED_HEADER_BYTES
                byte = data[at]
            else:
                if byte != c"\r":
                    return REFUSED_LINE_END if byte == c"\n" else REFUSED_HEADER_VALUE
                state = VALUE_LINE_FEED
                at += 1
            continue
        if state == NAME:
            while kinds[byte] & TOKEN and byte != c"_":
                at += 1
                if at >= length:
                    break
                if at >= end:
                    return REFUSED_HEADER_BYTES
                byte = data[at]
            if at >= length:
                break
            if byte == c":":
                state = VALUE
            elif byte == c"_":
                return REFUSED_HEADER_UNDERSCORE
            else:
                return REFUSED_HEADER_NAME
        # RFC 9112 2.2 and 5.2: no bare LF, no folded lines.
        elif state == HEADER_START:
            if byte == c"\r":
                state = LAST_LINE_FEED
            elif byte == c" " or byte == c"\t":
                return REFUSED_HEADER_FOLD
            elif byte == c"\n":
                return REFUSED_LINE_END
            elif byte == c"_":
                return REFUSED_HEADER_UNDERSCORE
            elif not kinds[byte] & TOKEN:
                return REFUSED_HEADER_NAME
            else:
                gate.header_count += 1
                if gate.header_count > bounds.header_count:
                    return REFUSED_HEADER_COUNT
                state = NAME
        elif byte != c"\n":
            return REFUSED_LINE_END
        elif state == LAST_LINE_FEED:
            gate.position = at + 1
            return DONE
        else:
            state = HEADER_START
        at += 1
    gate.state = state
    gate.position = at
    return MORE


cdef void begin_chunks(ChunkGate* gate) noexcept nogil:
    gate.announced = 0
    gate.remaining = 0
    gate.trailer_bytes = 0
    gate.state = SIZE
    gate.digits = 0
    gate.trailer_count = 0


cdef Verdict judge_chunks(
    ChunkGate* gate, const unsigned char* data, Py_ssize_t length, const Bounds* bounds, Py_ssize_t* used
) noexcept nogil:
    # Judge data[0:length], which continues where the last call ended. `used` receives the number of
    # accepted bytes; after DONE that is the end of the message.
    cdef Py_ssize_t at = 0
    cdef Verdict verdict = MORE
    while at < length and verdict == MORE:
        if gate.state == DATA:
            if gate.remaining > length - at:
                gate.remaining -= length - at
                at = length
            else:
                at += gate.remaining
                gate.remaining = 0
                gate.state = DATA_RETURN
            continue
        if gate.state >= SIZE and gate.state <= DATA_LINE_FEED:
            verdict = _judge_size(gate, data[at], bounds)
        else:
            verdict = _judge_trailer(gate, data[at], bounds)
        at += 1
    used[0] = at
    return verdict


cdef Verdict _judge_size(ChunkGate* gate, unsigned char byte, const Bounds* bounds) noexcept nogil:
    cdef int value
    if gate.state == SIZE:
        if kinds[byte] & HEX:
            gate.digits += 1
            if gate.digits > SIZE_DIGITS:
                return REFUSED_CHUNK_SIZE
            value = byte - 48 if byte <= 57 else (byte | 32) - 87
            gate.remaining = gate.remaining * 16 + value
            return MORE
        if gate.digits == 0:
            return REFUSED_CHUNK_SIZE
        if byte == c"\r":
            gate.state = SIZE_LINE_FEED
            return MORE
        if byte == c";" or byte == c" " or byte == c"\t":
            return REFUSED_CHUNK_EXTENSION
        return REFUSED_LINE_END if byte == c"\n" else REFUSED_CHUNK_SIZE
    if gate.state == DATA_RETURN:
        gate.state = DATA_LINE_FEED
        return MORE if byte == c"\r" else REFUSED_CHUNK_END
    if byte != c"\n":
        return REFUSED_LINE_END
    if gate.state == DATA_LINE_FEED:
        gate.state = SIZE
        gate.digits = 0
        return MORE
    # RFC 9112 7.1: the size is complete here. A body is refused when its size announces too much, before
    # the data arrive.
    gate.announced += gate.remaining
    if gate.announced > bounds.body_bytes:
        return REFUSED_BODY_LENGTH
    gate.state = DATA if gate.remaining else TRAILER_START
    return MORE


cdef Verdict _judge_trailer(ChunkGate* gate, unsigned char byte, const Bounds* bounds) noexcept nogil:
    gate.trailer_bytes += 1
    if gate.trailer_bytes > bounds.header_bytes:
        return REFUSED_HEADER_BYTES
    if gate.state == VALUE:
        if kinds[byte] & VALUE_BYTE:
            return MORE
        gate.state = VALUE_LINE_FEED
        if byte != c"\r":
            return REFUSED_LINE_END if byte == c"\n" else REFUSED_HEADER_VALUE
        return MORE
    if gate.state == VALUE_LINE_FEED or gate.state == LAST_LINE_FEED:
        if byte != c"\n":
            return REFUSED_LINE_END
        if gate.state == LAST_LINE_FEED:
            return DONE
        gate.state = TRAILER_START
        return MORE
    if byte == c":" and gate.state == NAME:
        gate.state = VALUE
        return MORE
    if byte == c"_":
        return REFUSED_HEADER_UNDERSCORE
    if gate.state == TRAILER_START:
        if byte == c"\r":
            gate.state = LAST_LINE_FEED
            return MORE
        if byte == c" " or byte == c"\t":
            return REFUSED_HEADER_FOLD
        if byte == c"\n":
            return REFUSED_LINE_END
        gate.trailer_count += 1
        if gate.trailer_count > bounds.header_count:
            return REFUSED_HEADER_COUNT
        gate.state = NAME
    return MORE if kinds[byte] & TOKEN else REFUSED_HEADER_NAME


def judge(bytes data, *, Py_ssize_t target_bytes, Py_ssize_t header_bytes, int header_count):
    """Judge a whole head; for comparison with the oracle in the tests."""
    cdef HeadGate gate
    cdef Bounds bounds
    bounds.target_bytes = target_bytes
    bounds.header_bytes = header_bytes
    bounds.header_count = header_count
    bounds.body_bytes = 0
    begin_head(&gate)
    cdef Verdict verdict = judge_head(&gate, data, len(data), &bounds)
    return int(verdict), gate.position if verdict == DONE else 0


def judge_body(bytes data, *, Py_ssize_t body_bytes, Py_ssize_t header_bytes, int header_count):
    """Judge the framing of a whole chunked body; for comparison with the oracle in the tests."""
    cdef ChunkGate gate
    cdef Bounds bounds
    cdef Py_ssize_t used = 0
    bounds.target_bytes = 0
    bounds.header_bytes = header_bytes
    bounds.header_count = header_count
    bounds.body_bytes = body_bytes
    begin_chunks(&gate)
    cdef Verdict verdict = judge_chunks(&gate, data, len(data), &bounds, &used)
    return int(verdict), used if verdict == DONE else 0
