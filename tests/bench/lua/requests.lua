-- SPDX-License-Identifier: Apache-2.0
-- Sends the ready requests of a file: over and over (WA_BENCH_MODE=cycle) or each once (once); reports as one line of JSON.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local function read_one(file)
  local size = file:read(6)
  return size and file:read(tonumber(size))
end

function init(args)
  file = assert(io.open(os.getenv('WA_BENCH_FILE'), 'rb'))
  once = os.getenv('WA_BENCH_MODE') == 'once'
  exhausted = 0
  if once then
    -- A large buffer: one read of the file serves many requests.
    file:setvbuf('full', 1048576)
    last = read_one(file)
    return
  end
  all, at = {}, 0
  for one in read_one, file do
    all[#all + 1] = one
  end
  assert(#all > 0, 'the file of requests is empty')
end

function request()
  if not once then
    at = at % #all + 1
    return all[at]
  end
  local one = read_one(file)
  if one then
    last = one
  else
    exhausted = exhausted + 1
  end
  return last
end

function done(summary, latency)
  local exhausted = 0
  for _, thread in ipairs(threads) do
    exhausted = exhausted + thread:get('exhausted')
  end
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d,"bytes":%d,' ..
    '"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,"exhausted":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max, summary.bytes, e.connect, e.read, e.write, e.timeout, e.status, exhausted))
end
