-- A store that is far away, inside nginx: what far_store.py configures, by the port that a request arrives at.
-- One worker process, so that all connections share these tables.

local far = {}
local profiles = {}     -- port -> profile
local names = {}        -- the keys of the listing, in byte order
local HEADERS = 300     -- bytes sent besides a body, about
local CHUNK = 16384     -- bytes of a body that are sent before another connection has its turn
local SMALL = 65536     -- files up to this size are remembered

local COUNTERS = {"requests", "refused", "stalled", "connections", "peak_connections", "peak_in_progress"}

local function clear(profile)
  for _, name in ipairs(COUNTERS) do profile[name] = 0 end
end

-- Times in seconds, bandwidth in bytes per second (0: no limit), rate in requests per second (0: no limit),
-- stalls as a share of the requests.
function far.profile(port, settings)
  settings.tokens, settings.refilled, settings.down, settings.up, settings.in_progress = 0, 0, 0, 0, 0
  clear(settings)
  profiles[tostring(port)] = settings
end

function far.keys(path)
  for line in io.lines(path) do names[#names + 1] = line end
end

local function sleep(seconds)
  if seconds > 0.0005 then ngx.sleep(seconds) end
end

-- Whether the rate allows another request: a bucket that holds a tenth of a second's tokens.
local function allowed(profile, now)
  if profile.rate == 0 then return true end
  local room = profile.rate / 10
  profile.tokens = math.min(room, profile.tokens + profile.rate * (now - profile.refilled))
  profile.refilled = now
  if profile.tokens < 1 then return false end
  profile.tokens = profile.tokens - 1
  return true
end

-- Queue bytes on the link that all connections share; returns when they are through, in seconds from now.
local function through_link(profile, direction, bytes)
  if profile.bandwidth == 0 then return 0 end
  local now = ngx.now()
  profile[direction] = math.max(profile[direction], now) + bytes / profile.bandwidth
  return profile[direction] - now
end

local function refuse(profile)
  profile.refused = profile.refused + 1
  ngx.status = 503
  ngx.header["Content-Type"] = "application/xml"
  local text = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
  ngx.header["Content-Length"] = #text
  if ngx.req.get_method() ~= "HEAD" then ngx.print(text) end
  return ngx.exit(ngx.HTTP_OK)
end

-- access phase: the round trip, another one for a new connection, the upload, refusals and stalls.
function far.arrive()
  local var = ngx.var
  local profile = profiles[var.server_port]
  local wait = profile.latency
  if ngx.ctx.listing then wait = profile.list_latency end
  profile.requests = profile.requests + 1
  profile.in_progress = profile.in_progress + 1
  profile.peak_in_progress = math.max(profile.peak_in_progress, profile.in_progress)
  if var.connection_requests == "1" then
    profile.connections = profile.connections + 1
    profile.peak_connections = math.max(profile.peak_connections, tonumber(var.connections_active))
    sleep(profile.connect)  -- nothing is uploaded before the connection is open
  end
  if not allowed(profile, ngx.now()) then
    sleep(wait)
    return refuse(profile)
  end
  if profile.stalls > 0 and profile.requests % math.floor(1 / profile.stalls) == 0 then
    profile.stalled = profile.stalled + 1
    wait = wait + profile.stall
  end
  if profile.bandwidth > 0 then
    wait = wait + through_link(profile, "up", (tonumber(var.content_length) or 0) + HEADERS)
  end
  sleep(wait)
end

-- log phase
function far.leave()
  local profile = profiles[ngx.var.server_port]
  profile.in_progress = profile.in_progress - 1
end

local remembered = {}

local function read_file(path)
  local content = remembered[path]
  if content then return content end
  local file = io.open(path, "rb")
  if not file then return nil end
  content = file:read("*a")
  file:close()
  if content and #content <= SMALL then remembered[path] = content end
  return content
end

-- content phase of GET where the bandwidth is limited: a chunk at a time.
function far.send()
  local profile = profiles[ngx.var.server_port]
  local content = read_file(ngx.var.document_root .. ngx.var.uri)
  if not content then return ngx.exit(404) end
  ngx.header["Content-Length"] = #content
  if ngx.req.get_method() == "HEAD" then return end
  if #content <= CHUNK then
    sleep(through_link(profile, "down", #content + HEADERS))
    ngx.print(content)
    return
  end
  for at = 1, #content, CHUNK do
    local chunk = content:sub(at, at + CHUNK - 1)
    sleep(through_link(profile, "down", #chunk))
    ngx.print(chunk)
    ngx.flush(true)
  end
end

-- The first position in the listing that is at least `key` (or, if `after`, greater).
local function position(key, after)
  local low, high = 1, #names + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local name = names[middle]
    if name < key or (after and name == key) then low = middle + 1 else high = middle end
  end
  return low
end

local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}

local URL_ESCAPES = {}
for byte = 0, 255 do URL_ESCAPES[string.char(byte)] = string.format("%%%02X", byte) end

local function as_url_text(text)
  if not text:find("[^%w%-%._~/]") then return text end
  return (text:gsub("[^%w%-%._~/]", URL_ESCAPES))
end

local function written(key, as_url)
  if as_url then return as_url_text(key) end
  if key:find("[&<>]") then return (key:gsub("[&<>]", ESCAPES)) end
  return key
end

-- The smallest string greater than all that start with `prefix`: names are UTF-8, which has no byte 0xFF.
local function beyond(prefix) return prefix .. "\255" end

local ENTRY = "</Key><LastModified>2026-11-20T00:00:00.000Z</LastModified>" ..
  "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>4096</Size>" ..
  "<StorageClass>STANDARD</StorageClass></Contents>"

local directory, directory_text = "", ""  -- the last one, which most keys share with the one before

-- Append a key to a list of texts. LuaJIT hashes a few bytes of each new string, so that entries as strings of their own,
-- which differ in the middle, would all be in one chain of its table of strings.
local function append(out, key, as_url)
  local own, name = key:match("^(.*/)(.*)$")
  if own and as_url then
    if own ~= directory then directory, directory_text = own, as_url_text(own) end
    out[#out + 1], key = directory_text, name
  end
  out[#out + 1] = written(key, as_url)
end

-- One page from position `at`: the text of its entries, their number, and the token of the next page or nil.
local function page(at, prefix, delimiter, most, as_url)
  local out, count, last = {}, 0, nil
  local last_key = beyond(prefix)
  while at <= #names and names[at] < last_key do
    if count == most then return table.concat(out), count, ngx.encode_base64(last, true) end
    local key = names[at]
    local cut = delimiter ~= "" and key:find(delimiter, #prefix + 1, true)
    if cut then
      local common = key:sub(1, cut + #delimiter - 1)
      out[#out + 1] = "<CommonPrefixes><Prefix>" .. written(common, as_url) .. "</Prefix></CommonPrefixes>"
      last = beyond(common)
      at = position(last)
    else
      out[#out + 1] = "<Contents><Key>"
      append(out, key, as_url)
      out[#out + 1] = ENTRY
      last, at = key, at + 1
    end
    count = count + 1
  end
  return table.concat(out), count, nil
end

-- ListObjectsV2 of the bucket `lists`.
local function list(arguments)
  local prefix, delimiter = arguments.prefix or "", arguments.delimiter or ""
  if delimiter == true then delimiter = "" end
  if prefix == true then prefix = "" end
  local most = math.min(tonumber(arguments["max-keys"]) or 1000, 1000)
  local token, at = arguments["continuation-token"], position(prefix)
  local start = token and ngx.decode_base64(token) or arguments["start-after"]
  if type(start) == "string" and start ~= "" then at = math.max(at, position(start, true)) end
  local as_url = arguments["encoding-type"] == "url"
  local text, count, next_token = page(at, prefix, delimiter, most, as_url)
  local following = next_token and "<NextContinuationToken>" .. next_token .. "</NextContinuationToken>" or ""
  ngx.header["Content-Type"] = "application/xml"
  ngx.print('<?xml version="1.0" encoding="UTF-8"?>',
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>lists</Name><Prefix>',
    written(prefix, as_url), "</Prefix><KeyCount>", count, "</KeyCount><MaxKeys>", most, "</MaxKeys><IsTruncated>",
    tostring(next_token ~= nil), "</IsTruncated>", as_url and "<EncodingType>url</EncodingType>" or "", following, text,
    "</ListBucketResult>")
end

-- access phase of the bucket `lists`
function far.arrive_listing()
  ngx.ctx.listing = ngx.var.uri:match("^/lists/?$") ~= nil
  far.arrive()
end

-- content phase of the bucket `lists`: its listing, and HEAD or an empty GET of its keys.
function far.lists()
  local key = ngx.var.uri:match("^/lists/(.+)$")
  if not key then return list(ngx.req.get_uri_args()) end
  local at = position(key)
  if names[at] ~= key then return ngx.exit(404) end
  ngx.header["ETag"] = '"0123456789abcdef0123456789abcdef"'
  ngx.header["Last-Modified"] = "Fri, 20 Nov 2026 00:00:00 GMT"
  ngx.header["Content-Length"] = 4096
  if ngx.req.get_method() ~= "HEAD" then ngx.print(string.rep("x", 4096)) end
end

-- /-/PORT: the counters of a profile as JSON, which are then set to zero.
function far.counters()
  local profile = profiles[ngx.var.uri:match("(%d+)$")]
  if not profile then return ngx.exit(404) end
  local out = {}
  for _, name in ipairs(COUNTERS) do out[#out + 1] = string.format('"%s": %d', name, profile[name]) end
  clear(profile)
  ngx.print("{", table.concat(out, ", "), "}")
end

return far
