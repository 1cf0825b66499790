// The closing handshake. The server answers once with the client's code, and reads nothing after
// it.
import t from 'tap'
import { until } from '../helpers.js'
import { closing, frame, opcodes } from './fixtures/raw-client.js'
import {
  Suite,
  asked,
  badText,
  binary,
  chopped,
  closed,
  lost,
  pong,
  protocolError,
  text
} from './fixtures/suite.js'
import type { Case, Step } from './fixtures/suite.js'

const suite = await Suite.start(t)
const good = frame(opcodes.text, 'good')
const start = frame(opcodes.text, 'begun ', { fin: false })

/** A close frame. */
function close (code?: number, reason: string | Buffer = ''): Buffer {
  return frame(opcodes.close, code === undefined ? '' : closing(code, reason))
}

t.test('answers a close frame with the same code and reason', async (t) => {
  const codes = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000,
    4998, 4999
  ]
  const cases: Case[] = [
    { name: 'no code', sends: [close()], ends: closed() },
    ...codes.map((code) => ({ name: `code ${code}`, sends: [close(code)], ends: closed(code) })),
    ...codes.map((code) => ({
      name: `code ${code} and a reason`,
      sends: [close(code, 'enough')],
      ends: closed(code, 'enough')
    }))
  ]
  await suite.run(t, [...cases, ...chopped(1, cases.slice(0, 3))])
})

t.test('a close frame with a code that may not be sent is an error', async (t) => {
  const codes = [
    0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32768, 65535
  ]
  await suite.run(
    t,
    codes.flatMap((code) =>
      ['', 'reason', Buffer.from([0xff])].map((reason) => ({
        name: `code ${code} with '${reason}'`,
        sends: [close(code, reason)],
        ends: protocolError(`invalid close code ${code}`)
      }))
    )
  )
})

t.test('a close frame has a code and at most 123 octets of text', async (t) => {
  const reasons = [
    '?',
    'bye',
    'Größe',
    '€'.repeat(41),
    '😀'.repeat(30),
    'r'.repeat(122),
    'r'.repeat(123)
  ]
  const cases: Case[] = [
    ...reasons.map((reason) => ({
      name: `'${reason}'`,
      sends: [close(1000, reason)],
      ends: closed(1000, reason)
    })),
    {
      name: 'one octet',
      sends: [frame(opcodes.close, '?')],
      ends: protocolError('invalid close payload')
    },
    {
      name: 'one octet, of which only the header has come',
      sends: [frame(opcodes.close, '', { length: 1 })],
      ends: protocolError('invalid close payload')
    },
    ...[124, 125, 1000].map((length) => ({
      name: `${length} octets`,
      sends: [close(1000, 'r'.repeat(length))],
      ends: protocolError('control frame too long')
    }))
  ]
  await suite.run(t, [...cases, ...chopped(1, cases)])
})

t.test('a reason that is not UTF-8 is an error', async (t) => {
  const invalid = [
    '80',
    'c3',
    'c0af',
    'e28281c3',
    'eda080',
    'f4908080',
    'f0808080',
    'fe',
    'cebae1bdb9cf83cebcceb5eda080656469746564'
  ]
  const cases: Case[] = invalid.map((hex) => ({
    name: hex,
    sends: [close(1000, Buffer.from(hex, 'hex'))],
    ends: badText
  }))
  await suite.run(t, [...cases, ...chopped(1, cases)])
})

t.test('reads nothing after a close frame', async (t) => {
  const later: Array<[name: string, ...sends: Buffer[]]> = [
    ['a text', good],
    ['a ping', frame(opcodes.ping, 'ping')],
    ['a pong', frame(opcodes.pong, 'pong')],
    ['a second close frame', close(1000)],
    ['a second close frame with another code', close(4000, 'again')],
    ['a third one', close(), close(1001)],
    ['half a frame', good.subarray(0, 3)],
    ['a reserved opcode', frame(3)],
    ['a frame without a mask', frame(opcodes.text, 'bad', { mask: null })],
    ['a fragment', start],
    ['a continuation', frame(opcodes.continuation, 'ended')],
    ['bad UTF-8', frame(opcodes.text, Buffer.from([0xff]))],
    ['a message over the limit', frame(opcodes.binary, Buffer.alloc(1024 * 1024 + 1))],
    ['noise', Buffer.alloc(100_000, 0x2a)]
  ]
  const cases: Case[] = later.flatMap(([name, ...sends]) => [
    {
      name: `${name} in the same write`,
      sends: [Buffer.concat([close(1001), ...sends])],
      ends: closed(1001)
    },
    { name: `${name} in the next write`, sends: [close(1001), ...sends], ends: closed(1001) },
    { name: `${name} after the answer`, sends: [close(1001), 1, ...sends], ends: closed(1001) }
  ])
  await suite.run(t, cases)
  await suite.run(t, chopped(1, cases.filter(({ name }) => /text|ping|second/.test(name))))
})

t.test('delivers messages that arrive before a close frame', async (t) => {
  const cases: Case[] = [
    {
      name: 'a ping',
      sends: [frame(opcodes.ping, 'ping'), close(1001)],
      gets: [pong('ping')],
      ends: closed(1001)
    },
    {
      name: 'a text and its echo',
      sends: [good, 1, close(1001)],
      gets: [text('good')],
      ends: closed(1001)
    },
    {
      name: 'a hundred texts',
      sends: [Buffer.concat([...Array.from({ length: 100 }, () => good), close(1001)])],
      reports: Array.from({ length: 100 }, () => text('good')),
      ends: closed(1001)
    },
    {
      name: 'a text, a ping and a text',
      sends: [Buffer.concat([good, frame(opcodes.ping), good, close(1001)])],
      gets: [pong()],
      reports: [text('good'), text('good')],
      ends: closed(1001)
    },
    {
      name: 'a message that is not whole is no message',
      sends: [start, close(1001)],
      ends: closed(1001)
    },
    {
      name: 'fragments without the last',
      sends: [good, 1, start, frame(opcodes.continuation, '', { fin: false }), close(1001)],
      gets: [text('good')],
      ends: closed(1001)
    }
  ]
  await suite.run(t, cases)
  await suite.run(
    t,
    cases.map((one) => ({
      ...one,
      name: `${one.name}, then its end`,
      sends: [...one.sends, frame(opcodes.continuation, 'ended')]
    }))
  )
})

t.test('sends the close frame after a large echo', async (t) => {
  const size = 16 * 1024 * 1024
  const large = await Suite.start(t, {
    maxPayload: size,
    maxBufferedAmount: 4 * size,
    mailboxBytes: 4 * size
  })
  const data = Buffer.alloc(size, 'a large echo ')
  await large.run(t, [{
    name: 'the client reads nothing until it has closed',
    sends: [
      ({ socket }) => { socket.pause() },
      frame(opcodes.binary, data),
      (_, server) => until(() => server.writableLength > 0),
      close(4000, 'enough'),
      (client, server) => until(() => server.bytesRead === client.socket.bytesWritten),
      ({ socket }) => { socket.resume() }
    ],
    gets: [binary(data)],
    ends: closed(4000, 'enough')
  }])
  await large.finish(t)
})

t.test('completes the handshake when the target closes and the client answers', async (t) => {
  const ask = (code: number): Step[] => [frame(opcodes.text, `please close ${code}`), 1]
  const reports = [text('please close 4001')]
  const ends = asked(4001)
  await suite.run(t, [
    ...[1000, 1001, 1008, 1011, 3000, 4999].map((code) => ({
      name: `code ${code}`,
      sends: [...ask(code), close(code)],
      reports: [text(`please close ${code}`)],
      ends: asked(code)
    })),
    { name: 'the client answers with nothing', sends: [...ask(4001), close()], reports, ends },
    {
      name: 'the client answers with another code',
      sends: [...ask(4001), close(1000, 'mine')],
      reports,
      ends
    },
    { name: 'the client breaks a rule instead', sends: [...ask(4001), frame(3)], reports, ends },
    {
      name: 'the client just ends the connection',
      sends: [
        ...ask(4001),
        ({ socket }) => {
          socket.end()
        }
      ],
      reports,
      ends
    },
    {
      name: 'texts and pings until then are ignored',
      sends: [
        ...ask(4001),
        good,
        frame(opcodes.ping),
        start,
        frame(opcodes.continuation, 'ended'),
        close(4001)
      ],
      reports,
      ends
    },
    {
      name: 'both close at once',
      sends: [Buffer.concat([frame(opcodes.text, 'please close 4001'), close(1000)])],
      reports,
      ends: closed(1000)
    }
  ])
})

t.test('reports no code for a lost connection', async (t) => {
  const gone: Array<[name: string, step: Step]> = [
    ['ended', ({ socket }) => { socket.end() }],
    ['reset', ({ socket }) => { socket.resetAndDestroy() }]
  ]
  await suite.run(
    t,
    gone.flatMap(([name, step]) => [
      { name: `${name} at once`, sends: [step], ends: lost },
      {
        name: `${name} after a good message`,
        sends: [good, 1, step],
        gets: [text('good')],
        ends: lost
      },
      {
        name: `${name} inside a message`,
        sends: [good, 1, start, step],
        gets: [text('good')],
        ends: lost
      },
      { name: `${name} inside a frame`, sends: [good.subarray(0, 7), step], ends: lost },
      { name: `${name} inside a header`, sends: [good.subarray(0, 1), step], ends: lost },
      {
        name: `${name} inside a close frame`,
        sends: [close(1000, 'never whole').subarray(0, 9), step],
        ends: lost
      }
    ])
  )
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
