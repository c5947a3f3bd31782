-- Sends the requests listed in the file named by the first argument, in turn, for ever, each for the
-- next of some thousand clients behind one proxy; then prints one line for bench/wrk.py: answers,
-- errors, microseconds, 99th percentile in microseconds.
-- A line of the file is: method, path, and the body if there is one, divided by blanks.

local CLIENTS = 4000  -- every other one has an IPv6 address, each in a network of its own

local requests = {}
local sent = 0

local function address(client)
  local high, low = math.floor(client / 250), client % 250 + 1
  if client % 2 == 0 then
    return string.format("203.0.%d.%d", high, low)
  end
  return string.format("2001:db8:%x:%x::%x", high, low, client + 1)
end

function init(arguments)
  local listed = {}
  for line in io.lines(arguments[1]) do
    listed[#listed + 1] = {line:match("^(%S+) (%S+) ?(.*)$")}
  end
  for client = 0, CLIENTS - 1 do
    local method, path, body = unpack(listed[client % #listed + 1])
    local headers = {["X-Forwarded-For"] = address(client)}
    for name, value in pairs(wrk.headers) do
      headers[name] = value
    end
    requests[client + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
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
