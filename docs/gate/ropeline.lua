-- Asks Ropeline whether a request may pass. Whatever goes wrong closes the gate.

local verify = "http://127.0.0.1:8080/gate/verify?answer=page"

-- What the answer depends on; the rest stays here.
local sent = { "cookie", "authorization", "accept", "sec-fetch-mode" }
-- What the shop may rely on.
local told = { "x-ropeline-sale", "x-ropeline-session", "x-ropeline-place", "x-ropeline-gate" }
-- What the client is answered with when it may not pass.
local answered = { "location", "content-type", "cache-control", "retry-after", "refresh" }

local function refuse(txn, status, headers, body)
  local reply = txn:reply({ status = status, body = body })
  for _, name in ipairs(answered) do
    local values = headers and headers[name]
    if values then reply:add_header(name, values[0]) end
  end
  txn:done(reply)
end

core.register_action("ropeline", { "http-req" }, function(txn)
  local had = txn.http:req_get_headers()
  local headers = {
    ["x-original-uri"] = { txn.sf:url() }, -- as it came, and so it goes on
    ["x-original-method"] = { txn.sf:method() },
    ["x-original-host"] = { txn.sf:req_hdr("host") },
  }
  for _, name in ipairs(sent) do
    if had[name] then
      headers[name] = {}
      for i = 0, #had[name] do headers[name][i + 1] = had[name][i] end
    end
  end
  local answer = core.httpclient():get({ url = verify, headers = headers, timeout = 2000 })
  if not answer or answer.status ~= 200 then
    local status = answer and answer.status or 0
    if status < 300 then status = 503 end
    return refuse(txn, status, answer and answer.headers, answer and answer.body or "")
  end
  for _, name in ipairs(told) do
    local values = answer.headers[name]
    if values and values[0] ~= "" then txn.http:req_set_header(name, values[0]) end
  end
  local cookie = answer.headers["set-cookie"]
  if cookie then txn:set_var("txn.gate_cookie", cookie[0]) end
end)
