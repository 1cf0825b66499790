// The minimum: the cost of the same bytes for any server in Node. It counts the bytes of client
// frames
// without parsing them, and answers with prepared frames. The answers to one socket in one
// iteration
// are one write.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { announce, listenOptions, usage } from './usage.mjs'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const mostAtOnce = 64

/** Returns the lengths of a client's frames from its first one, because all are equal. */
function lengths (frame) {
  const short = frame[1] & 0x7f
  const payload = short < 126 ? short : frame.readUInt16BE(2)
  return { payload, masked: payload + (short < 126 ? 6 : 8) }
}

const answers = new Map()

/** Prepares as many consecutive frames as may be due at once. */
function answersOf (payload) {
  let made = answers.get(payload)
  if (made === undefined) {
    const header = payload < 126
      ? Buffer.from([0x81, payload])
      : Buffer.from([0x81, 126, payload >> 8, payload & 0xff])
    const frame = Buffer.concat([header, Buffer.alloc(payload, 'a')])
    const bytes = Buffer.concat(Array(mostAtOnce).fill(frame))
    answers.set(payload, made = { length: frame.length, bytes })
  }
  return made
}

let dirty = []

function flush () {
  const sockets = dirty
  dirty = []
  for (const { socket, answers, due } of sockets) {
    socket.write(answers.bytes.subarray(0, due * answers.length))
  }
  for (const member of sockets) member.due = 0
}

function owe (member, answers, count) {
  if (member.due === 0 && dirty.push(member) === 1) setImmediate(flush)
  member.answers = answers
  member.due += count
}

const rooms = new Map()

function roomOf (url, member) {
  if (url === '/echo') return new Set([member])
  if (!rooms.has(url)) rooms.set(url, new Set())
  return rooms.get(url).add(member)
}

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(request.url.startsWith('/usage') ? usage(request.url) : '{}')
})
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key']
  const accept = createHash('sha1').update(key + guid).digest('base64')
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
  )
  socket.setTimeout(0)
  socket.setNoDelay(true)
  const member = { socket, answers: undefined, due: 0 }
  const members = roomOf(request.url, member)
  let masked = 0
  let have = 0
  let made
  socket.on('error', () => {})
  socket.on('close', () => members.delete(member))
  socket.on('data', (bytes) => {
    if (masked === 0) {
      const { payload, masked: length } = lengths(bytes)
      masked = length
      made = answersOf(payload)
    }
    have += bytes.length
    const count = Math.floor(have / masked)
    have -= count * masked
    if (count > 0) for (const each of members) owe(each, made, count)
  })
})
server.listen(listenOptions, () => announce(server))
