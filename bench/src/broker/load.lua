-- SPDX-License-Identifier: Apache-2.0
-- One request for each line of a file of tokens, again and again; the figures as one line of JSON.
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(arguments)
   tokens, count, at, bad, sample = {}, 0, 0, 0, ""
   for token in io.lines(arguments[1]) do
      count = count + 1
      tokens[count] = token
   end
   method, shown = arguments[2], arguments[3]
end

function request()
   at = at % count + 1
   if shown == "body" then
      return wrk.format(method, nil, { ["Content-Type"] = "application/json" }, '{"role":"bench","jwt":"' .. tokens[at] .. '"}')
   end
   local headers = { ["Authorization"] = "Bearer " .. tokens[at], ["Content-Type"] = "application/json" }
   if method == "GET" then
      return wrk.format(method, nil, { ["X-Vault-Token"] = tokens[at] }, nil)
   end
   return wrk.format(method, nil, headers, "{}")
end

function response(status, headers, body)
   if status < 200 or status > 299 then
      bad = bad + 1
      sample = status .. " " .. string.gsub(string.sub(body, 1, 200), '[^%w%s.,:_-]', " ")
   end
end

function done(summary, latency, requests)
   local bad, sample = 0, ""
   for _, thread in ipairs(threads) do
      bad = bad + thread:get("bad")
      sample = thread:get("sample")
   end
   local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
   io.write(string.format('figures {"rate":%f,"median":%f,"p99":%f,"bad":%d,"sample":"%s"}\n',
      summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad + errors, sample))
end
