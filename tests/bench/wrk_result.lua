-- What wrk found, as one line of JSON.
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"p99_us":%d,"errors":%d}\n',
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
