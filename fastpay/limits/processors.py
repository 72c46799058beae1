"""Bounds of processors: their configuration, and calls to them."""

# How long an instance uses what it knows of a tenant's processors: a change reaches all within this time.
processor_cache_ms = 2_000
processor_scopes_kept = 10_000
processors_max = 32
processor_name_chars_max = 40
processor_url_chars_max = 2_000
processor_secret_chars_max = 500
# Tenants that may use one name for a processor, among which a webhook looks for the one that signed it.
processor_namesakes_max = 1_000
processor_rules_max = 100

# Calls: how many are in flight to one processor, and how long to wait for a connection among their time.
# Requests in flight to one processor, and the connections to all: fifteen that hang leave the others room.
processor_requests_max = 256
processor_connections_max = 4_096
processor_answer_bytes_max = 1 << 20
processor_check_timeout_ms = 10_000
# The longest pause after which a processor that has failed is tried again.
processor_probe_max_ms = 30_000
# How often the ones are looked at whose pause may be over.
processor_probing_ms = 1_000
# Below the time after which most servers close an idle connection: a request on a closed one is in doubt.
processor_idle_connection_ms = 4_000
# How long a request that was cut off may still be on its way, or be worked on. Only then an inquiry that does
# not find it is proof. It is longer than proxies and servers hold a request.
processor_arrival_s = 120
processor_arrival_s_min = 3
processor_arrival_s_max = 3_600
# An order is sent within this part of that time from the beginning of its attempt, or never, and its call may
# take as long. But a database that is busy must not hold it up for too long where that time is very short.
processor_sending_part = 4
processor_sending_ms_min = 2_000
# How much later than its deadline a call ends that has not ended itself. Deadlines are looked at in turns.
processor_lateness_ms = 250
# Clocks of others differ by less.
processor_clock_skew_s = 300
# How often a read of an inquiry is sent while its time lasts, if the connection ends without an answer.
processor_read_tries = 3
processor_page_objects = 100
processor_pages_max = 50
# A webhook's body, and an outcome's texts.
processor_text_chars_max = 500
processor_identifier_chars_max = 255
# How long a cardholder may take to authenticate. After that the payment is voided at the processor.
action_valid_s = 86_400
# How long an authorization of unknown outcome is voided before a person decides. And how much earlier than
# the processor forgets its key an order is sent again for the last time.
void_tried_s = 86_400
resend_margin_s = 3_600
# How long an authorization with a saved card is sent again before it is voided instead.
authorization_resent_s = 43_200
# Why a person has decided about an attempt as they did.
review_note_chars_max = 500

# The last moment at which an order is sent, and the longest call for which that time is allowed.
assert (
    processor_sending_ms_min + processor_arrival_s_min * 1_000 // processor_sending_part
    <= processor_arrival_s_min * 1_000
)
