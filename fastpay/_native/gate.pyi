"""The gate before the HTTP parser: it judges every framing byte and can only refuse."""

def judge(data: bytes, *, target_bytes: int, header_bytes: int, header_count: int) -> tuple[int, int]:
    """Judge a head fed whole: the verdict (0 more, 1 done, else the refusal), and its length if done."""

def judge_body(data: bytes, *, body_bytes: int, header_bytes: int, header_count: int) -> tuple[int, int]:
    """Judge the framing of a chunked body fed whole: the verdict, and where it ends if done."""
