"""The gate in front of the HTTP parser: it checks every framing byte and can only refuse."""

def judge(data: bytes, *, target_bytes: int, header_bytes: int, header_count: int) -> tuple[int, int]:
    """Judge a whole head: return the verdict (0 more, 1 done, else the refusal) and its length if done."""

def judge_body(data: bytes, *, body_bytes: int, header_bytes: int, header_count: int) -> tuple[int, int]:
    """Judge the framing of a whole chunked body: return the verdict, and its end if done."""
