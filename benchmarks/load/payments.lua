-- One payment a request, each with an idempotency key of its own, in turn for each tenant.
-- Arguments: the folder of this file, a prefix that no other run has, then the API keys.
local threads = 0
function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local body = os.getenv("LOAD_BODY") or "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa" ..
    "&description=Order+12&metadata%5Border%5D=12"
local heads, prefix, tail, count = {}, "", "\r\n\r\n" .. body, 0

function init(arguments)
    prefix = arguments[2] .. "-" .. number .. "-"
    for index = 3, #arguments do
        heads[index - 3] = "POST /v1/payment_intents HTTP/1.1\r\nHost: localhost\r\n" ..
            "Authorization: Bearer " .. arguments[index] .. "\r\n" ..
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. #body .. "\r\n" ..
            "Idempotency-Key: "
    end
    heads.count = #arguments - 2
end

function request()
    count = count + 1
    return heads[count % heads.count] .. prefix .. count .. tail
end

function done(summary, latency)
    dofile((os.getenv("LOAD_FOLDER") or ".") .. "/report.lua")
    report(summary, latency)
end
