-- One transfer of the ledger a request, each with an idempotency key of its own, between the accounts of a file.
-- Arguments: the folder of this file, a prefix that no other run has, the API key, the file: a pair of accounts a line.
local threads = 0
function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local bodies, head, prefix, count = {}, "", "", 0

function init(arguments)
    prefix = arguments[2] .. "-" .. number .. "-"
    for line in io.lines(arguments[4]) do
        local debit, credit = line:match("(%S+) (%S+)")
        bodies[#bodies + 1] = "debit_account=" .. debit .. "&credit_account=" .. credit .. "&amount=5"
    end
    head = "POST /v1/ledger/transfers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " .. arguments[3] ..
        "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. #bodies[1] ..
        "\r\nIdempotency-Key: "
end

function request()
    count = count + 1
    return head .. prefix .. count .. "\r\n\r\n" .. bodies[count % #bodies + 1]
end

function done(summary, latency)
    dofile((os.getenv("LOAD_FOLDER") or ".") .. "/report.lua")
    report(summary, latency)
end
