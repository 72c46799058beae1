-- GET payments by their identifiers, one after another.
-- Arguments: the folder of this file, a file with an identifier a line, the API key.
local requests, count, index = {}, 0, 0

function init(arguments)
    for identifier in io.lines(arguments[2]) do
        count = count + 1
        requests[count] = "GET /v1/payment_intents/" .. identifier .. " HTTP/1.1\r\nHost: localhost\r\n" ..
            "Authorization: Bearer " .. arguments[3] .. "\r\n\r\n"
    end
end

function request()
    index = index % count + 1
    return requests[index]
end

function done(summary, latency)
    dofile((os.getenv("LOAD_FOLDER") or ".") .. "/report.lua")
    report(summary, latency)
end
