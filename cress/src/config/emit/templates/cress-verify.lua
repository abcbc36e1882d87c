-- Asks `cress authz` whether a request may pass. Made by `cress config emit haproxy-lua`. Use, with HAProxy 2.6 or later:
--   http-request lua.cress_verify http://127.0.0.1:8423/verify/haproxy
-- Sets txn.cress_status to the status of the answer (503 if there is none), txn.cress_challenge to its WWW-Authenticate,
-- and for each header X-Cress-... of it txn.cress.x_cress_... ; nothing of the request is changed.

local TIMEOUT_MILLISECONDS = 5000

-- All values of a header: a request with two tokens must be seen to have two.
local function values(headers, name)
    local all, index = {}, 0
    while headers[name] and headers[name][index] do
        table.insert(all, headers[name][index])
        index = index + 1
    end
    return all
end

local function first(headers, name)
    return headers and headers[name] and headers[name][0] or ""
end

core.register_action("cress_verify", { "http-req" }, function(txn, url)
    txn:set_var("txn.cress_status", 503)
    txn:set_var("txn.cress_challenge", "")
    local asked = txn.http:req_get_headers()
    -- HTTP/2 always has a whole URL. In HTTP/1 a client that sends one means something else than a path: it is passed on as it is, and
    -- refused.
    local is_http_1 = string.sub(txn.sf:req_ver() or "1", 1, 1) == "1"
    local headers = {
        ["x-original-method"] = { txn.sf:method() },
        ["x-original-uri"] = { is_http_1 and txn.sf:url() or txn.sf:pathq() },
        ["x-original-address"] = { txn.sf:src() },
    }
    for _, name in ipairs({ "authorization", "host" }) do
        local found = values(asked, name)
        if #found > 0 then
            headers[name] = found
        end
    end
    headers["x-original-host"] = headers["host"]

    local client = core.httpclient()
    local answer = client:get({ url = url, headers = headers, timeout = TIMEOUT_MILLISECONDS })
    if not answer or not answer.status then
        return
    end
    txn:set_var("txn.cress_challenge", first(answer.headers, "www-authenticate"))
    for name in pairs(answer.headers or {}) do
        if string.match(name, "^[a-z0-9-]+$") then
            txn:set_var("txn.cress." .. string.gsub(name, "-", "_"), first(answer.headers, name))
        end
    end
    txn:set_var("txn.cress_status", answer.status)
end, 1)
