-- Sends the requests listed in the file named by the first argument, in turn, for ever; then prints
-- one line for bench/wrk.py: answers, errors, microseconds, 99th percentile in microseconds.
-- A line of the file is: method, path, and the body if there is one, divided by blanks.

local requests = {}
local sent = 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
    requests[#requests + 1] = wrk.format(method, path, nil, body ~= "" and body or nil)
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency, _)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.timeout + e.status
  io.write(string.format("measured %d %d %d %d\n",
    summary.requests, errors, summary.duration, latency:percentile(99)))
end
