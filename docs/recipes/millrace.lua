-- A Wireshark dissector for millrace, protocol version 1: what is not sealed (docs/wire-format.md, section 1).
--
--   tshark -X lua_script:millrace.lua -r capture.pcapng -Y millrace
--   or copy it to Wireshark's folder of personal Lua plugins (Help, About, Folders).
--
-- A flow is recognised by its first long header packet; 'Decode As...' millrace does it where that was not captured.

local millrace = Proto("millrace", "millrace")

local VERSION = 0x6d720001
local LONG_TYPES = { [0] = "Initial", [3] = "Retry" }
local ANNOUNCED_BYTES = 1200
local TAG_BYTES = 16
local ID_BYTES = 8

local fields = {
  kind = ProtoField.string("millrace.type", "Packet type"),
  version = ProtoField.uint32("millrace.version", "Version", base.HEX),
  supported = ProtoField.uint32("millrace.supported_version", "Supported version", base.HEX),
  dcid = ProtoField.bytes("millrace.dcid", "Destination connection ID"),
  scid = ProtoField.bytes("millrace.scid", "Source connection ID"),
  token = ProtoField.bytes("millrace.token", "Token"),
  length = ProtoField.uint16("millrace.length", "Length"),
  number = ProtoField.uint32("millrace.packet_number", "Packet number (low bits)"),
  phase = ProtoField.uint8("millrace.key_phase", "Key phase"),
  payload = ProtoField.bytes("millrace.sealed", "Sealed frames"),
  tag = ProtoField.bytes("millrace.tag", "Tag"),
}
millrace.fields = fields

local malformed = ProtoExpert.new("millrace.malformed", "Malformed packet", expert.group.MALFORMED, expert.severity.ERROR)
millrace.experts = { malformed }

-- The variable-length integer of RFC 9000, section 16: value and size, or nil where it is cut.
local function varint(buffer, at)
  if at >= buffer:len() then return nil end
  local size = 2 ^ math.floor(buffer(at, 1):uint() / 64)
  if at + size > buffer:len() then return nil end
  local value = buffer(at, 1):uint() % 64
  for i = 1, size - 1 do value = value * 256 + buffer(at + i, 1):uint() end
  return value, size
end

local function sealed(buffer, tree, from, to)
  if to - from < TAG_BYTES then return false end
  if to - TAG_BYTES > from then tree:add(fields.payload, buffer(from, to - TAG_BYTES - from)) end
  tree:add(fields.tag, buffer(to - TAG_BYTES, TAG_BYTES))
  return true
end

-- A connection ID with its length in front: the offset behind it, or nil.
local function id(buffer, tree, field, at)
  if at >= buffer:len() then return nil end
  local size = buffer(at, 1):uint()
  if size > 20 or at + 1 + size > buffer:len() then return nil end
  if size > 0 then tree:add(field, buffer(at + 1, size)) end
  return at + 1 + size
end

local function initial(buffer, tree, at)
  local size, bytes = varint(buffer, at)
  if size == nil or at + bytes + size + 6 > buffer:len() then return nil end
  if size > 0 then tree:add(fields.token, buffer(at + bytes, size)) end
  at = at + bytes + size
  local length = buffer(at, 2):uint()
  tree:add(fields.length, buffer(at, 2))
  tree:add(fields.number, buffer(at + 2, 4))
  local to = at + 2 + length
  if to > buffer:len() or not sealed(buffer, tree, at + 6, to) then return nil end
  return to, "Initial " .. buffer(at + 2, 4):uint()
end

-- Dissects one long header packet from the offset 'from' on. Returns where it ends (nil: malformed), and what it is.
local function long(buffer, tree, from)
  if buffer:len() < from + 7 then return nil end
  local version = buffer(from + 1, 4):uint()
  tree:add(fields.version, buffer(from + 1, 4))
  local at = id(buffer, tree, fields.dcid, from + 5)
  if at ~= nil then at = id(buffer, tree, fields.scid, at) end
  if at == nil then return nil end
  if version == 0 then
    tree:add(fields.kind, "Version negotiation")
    while at + 4 <= buffer:len() do
      tree:add(fields.supported, buffer(at, 4))
      at = at + 4
    end
    return buffer:len(), "Version negotiation"
  end
  local kind = LONG_TYPES[math.floor(buffer(from, 1):uint() / 16) % 4]
  if version ~= VERSION or kind == nil then return nil end
  tree:add(fields.kind, kind)
  if kind == "Initial" then return initial(buffer, tree, at) end
  if buffer:len() - at < TAG_BYTES then return nil end
  if buffer:len() - TAG_BYTES > at then tree:add(fields.token, buffer(at, buffer:len() - TAG_BYTES - at)) end
  tree:add(fields.tag, buffer(buffer:len() - TAG_BYTES, TAG_BYTES))
  return buffer:len(), "Retry"
end

local function short(buffer, tree, from)
  local first = buffer(from, 1):uint()
  local hasLength = math.floor(first / 32) % 2 == 1
  local numberBytes = first % 4 + 1
  local at = from + 1 + ID_BYTES
  if at + (hasLength and 2 or 0) + numberBytes + TAG_BYTES > buffer:len() then return nil end
  tree:add(fields.kind, "1-RTT")
  tree:add(fields.phase, buffer(from, 1), math.floor(first / 16) % 2)
  tree:add(fields.dcid, buffer(from + 1, ID_BYTES))
  local to = buffer:len()
  if hasLength then
    tree:add(fields.length, buffer(at, 2))
    to = at + 2 + buffer(at, 2):uint()
    at = at + 2
  end
  if to > buffer:len() then return nil end
  tree:add(fields.number, buffer(at, numberBytes))
  if not sealed(buffer, tree, at + numberBytes, to) then return nil end
  return to, "1-RTT " .. buffer(at, numberBytes):uint()
end

function millrace.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "millrace"
  local at = 0
  local said = {}
  while at < buffer:len() do
    local tree = root:add(millrace, buffer(at), "millrace packet")
    local isLong = buffer(at, 1):uint() >= 128
    local to, what = (isLong and long or short)(buffer, tree, at)
    if to == nil then
      tree:add_proto_expert_info(malformed)
      said[#said + 1] = "malformed"
      break
    end
    tree:set_len(to - at)
    tree:append_text(": " .. what)
    said[#said + 1] = what
    at = to
  end
  pinfo.cols.info = table.concat(said, ", ")
  return buffer:len()
end

-- A long header of this version, with connection IDs that can be: then the whole flow is ours.
local function recognise(buffer, pinfo, root)
  if buffer:len() < ANNOUNCED_BYTES or buffer(0, 1):uint() < 192 then return false end
  if buffer(1, 4):uint() ~= VERSION then return false end
  pinfo.conversation = millrace
  millrace.dissector(buffer, pinfo, root)
  return true
end

millrace:register_heuristic("udp", recognise)
DissectorTable.get("udp.port"):add_for_decode_as(millrace)
