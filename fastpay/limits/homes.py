"""Bounds of members and of what they forward to each other."""

# A member whose row was not renewed for so long is gone.
member_alive_ms = 4_000
members_max = 64
# Members are looked at once a second. In so many looks in a row homes must use so much of a processor each
# for one more, and the others must need no more than so little for one fewer.
home_busy_percent = 85
home_busy_looks = 3
home_idle_percent = 50
home_idle_looks = 30
# If commands have waited for so long at a home, all members are homes, for so many looks at least.
home_late_ms = 250
home_late_looks = 3_600
forwards_waiting_max = 8_192
# A larger command is written by the instance that got it. A frame has several commands, which are not larger
# together.
forwarded_bytes_max = 4 << 20
home_frame_bytes_max = 64 << 20
home_buffer_bytes = 4 << 20
# How long an answer is waited for, and how long a sign of life, which is asked for in such steps.
home_answer_ms = 2_500
home_silence_ms = 500
home_check_ms = 100
# How long after it was sent an answer is still listened for: as long as a home can take that is not gone.
home_late_answer_ms = 10_000
# How long a tenant is refused after its home found its line too long.
home_refusal_ms = 50
# How long commits of a tenant are told to an instance that forwards nothing of it any more, and how long they
# wait for others that go the same way: commits that changed what it may hold, and those of new objects only.
home_interest_ms = 10_000
home_notice_ms = 5
home_notice_of_new_ms = 250
# A larger object is named only, and read again by who is asked for it.
home_notice_bytes_max = 16 << 10
# How long a home may take to say what it shows. Then it is not asked for a while.
home_find_ms = 100
home_slow_ms = 1_000
home_finds_max = 1_024
# How many objects one question is for: the answer has so many of `home_notice_bytes_max` at most.
home_find_objects_max = 128
# A home is asked for everything if it has so much of it: to ask it takes a seventh of what a read of the
# database does.
home_worth_min = 0.25
home_connect_timeout_ms = 1_000
home_backoff_ms = 50
home_backoff_max_ms = 1_000

assert home_backoff_ms <= home_backoff_max_ms
# What one home less would use is no reason for one more.
assert home_idle_percent < home_busy_percent
