// permessage-deflate (RFC 7692): messages, violations and thresholds.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { handshake } from '../helpers.js'
import { closing, frame, opcodes } from './fixtures/raw-client.js'
import {
  Suite, badText, binary, chopped, closed, lost, pong, protocolError, reserved, text, tooLarge,
  violation
} from './fixtures/suite.js'
import { agreed, deflate, deflated, long, rsv1, small } from './fixtures/deflate-client.js'

const MiB = 1024 * 1024

const badDeflate = violation(1007, 'invalid deflate data')

// Compresses all echoes, the empty message too.
const suite = await Suite.start(t, { perMessageDeflate: { threshold: 0 } })

t.test('reads the examples of RFC 7692 section 7.2.3', (t) => {
  const hex = (data: string): Buffer => frame(opcodes.text, Buffer.from(data, 'hex'), rsv1)
  const hello = deflated(text('Hello'))
  return suite.run(
    t,
    agreed([
      { name: 'one block', sends: [hex('f248cdc9c90700')], gets: [hello] },
      {
        name: 'two messages, the second by the window of the first',
        sends: [hex('f248cdc9c90700'), hex('f200110000')],
        gets: [hello, hello]
      },
      {
        name: 'a block without compression',
        sends: [hex('000500faff48656c6c6f00')],
        gets: [hello]
      },
      { name: 'a block with BFINAL', sends: [hex('f348cdc9c9070000')], gets: [hello] },
      { name: 'two blocks', sends: [hex('f24805000000ffffcac9c90700')], gets: [hello] },
      {
        name: 'two fragments',
        sends: [
          frame(opcodes.text, Buffer.from('f248cd', 'hex'), { rsv: 4, fin: false }),
          frame(opcodes.continuation, Buffer.from('c9c90700', 'hex'))
        ],
        gets: [hello]
      }
    ])
  )
})

t.test('inflates messages and deflates their echoes', async (t) => {
  const random = randomBytes(70_000)
  const cut = deflate(long)
  const cases = agreed([
    { name: 'an empty message', sends: [small('')], gets: [deflated(text(''))] },
    { name: 'text', sends: [small('text')], gets: [deflated(text('text'))] },
    { name: 'long text', sends: [small(long)], gets: [deflated(text(long))] },
    {
      name: 'octets that cannot be deflated',
      sends: [frame(opcodes.binary, deflate(random), rsv1)],
      gets: [deflated(binary(random))]
    },
    {
      name: 'a message as it is',
      sends: [frame(opcodes.text, 'plain')],
      gets: [deflated(text('plain'))]
    },
    {
      name: 'fragments as they are',
      sends: [frame(opcodes.text, 'pl', { fin: false }), frame(opcodes.continuation, 'ain')],
      gets: [deflated(text('plain'))]
    },
    {
      name: 'deflated, plain, deflated',
      sends: [
        Buffer.concat([
          small('a'),
          frame(opcodes.text, 'b'),
          frame(opcodes.text, deflate('a', Buffer.from('a')), rsv1)
        ])
      ],
      gets: ['a', 'b', 'a'].map((word) => deflated(text(word)))
    },
    {
      name: 'each fragment an octet',
      sends: Array.from(cut, (_, i) =>
        frame(i === 0 ? opcodes.text : opcodes.continuation, cut.subarray(i, i + 1), {
          rsv: i === 0 ? 4 : 0,
          fin: i === cut.length - 1
        })
      ),
      gets: [deflated(text(long))]
    },
    {
      name: 'a ping between fragments',
      sends: [
        frame(opcodes.text, cut.subarray(0, 9), { rsv: 4, fin: false }),
        frame(opcodes.ping),
        1,
        frame(opcodes.continuation, cut.subarray(9))
      ],
      gets: [pong(), deflated(text(long))]
    },
    {
      name: 'a ping behind it',
      sends: [small(long), 1, frame(opcodes.ping)],
      gets: [deflated(text(long)), pong()]
    },
    {
      name: 'a hundred in one write',
      sends: [
        Buffer.concat(
          Array.from({ length: 100 }, (_, i) => frame(opcodes.text, deflate(`no. ${i}`), rsv1))
        )
      ],
      gets: Array.from({ length: 100 }, (_, i) => deflated(text(`no. ${i}`)))
    },
    {
      name: 'as large as can be',
      sends: [frame(opcodes.binary, deflate(Buffer.alloc(MiB)), rsv1)],
      gets: [deflated(binary(Buffer.alloc(MiB)))]
    }
  ])
  await suite.run(t, [
    ...cases,
    ...chopped(
      1,
      cases.filter(({ name }) => !/octet|large|hundred/.test(name))
    )
  ])
})

t.test('ends the connection after a violation', async (t) => {
  const part = frame(opcodes.text, deflate(long), { rsv: 4, fin: false })
  await suite.run(
    t,
    agreed([
      {
        name: 'RSV1 in a continuation',
        sends: [part, frame(opcodes.continuation, 'more', rsv1)],
        ends: reserved
      },
      {
        name: 'RSV1 in a continuation of a plain message',
        sends: [
          frame(opcodes.text, 'plain', { fin: false }),
          frame(opcodes.continuation, deflate('more'), rsv1)
        ],
        ends: reserved
      },
      ...(['ping', 'pong', 'close'] as const).flatMap((kind) => [
        {
          name: `RSV1 in a ${kind}`,
          sends: [frame(opcodes[kind], kind === 'close' ? closing(1000) : '', rsv1)],
          ends: reserved
        },
        {
          name: `RSV1 in a ${kind} between fragments`,
          sends: [part, frame(opcodes[kind], '', rsv1)],
          ends: reserved
        }
      ]),
      ...[1, 2, 3, 5, 6, 7].map((rsv) => ({
        name: `reserved bits ${rsv}`,
        sends: [frame(opcodes.text, deflate('bad'), { rsv })],
        ends: reserved
      })),
      ...[3, 11].map((opcode) => ({
        name: `RSV1 with opcode ${opcode}`,
        sends: [frame(opcode, '', rsv1)],
        ends: reserved
      })),
      ...['ff', 'ffffffff', '000500fbff48656c6c6f00', 'f200110000', '07'].map((hex) => ({
        name: `deflate data that is none: ${hex}`,
        sends: [frame(opcodes.text, Buffer.from(hex, 'hex'), rsv1)],
        ends: badDeflate
      })),
      {
        name: 'bad data after a good message',
        sends: [small('good'), 1, frame(opcodes.text, Buffer.from('ff', 'hex'), rsv1)],
        gets: [deflated(text('good'))],
        ends: badDeflate
      },
      {
        name: 'bad data, and more behind it',
        sends: [
          Buffer.concat([
            frame(opcodes.text, Buffer.from('ff', 'hex'), rsv1),
            small('good'),
            frame(opcodes.ping),
            frame(opcodes.close)
          ])
        ],
        ends: badDeflate
      },
      ...['ff', 'c0af', 'eda080', 'f4908080', 'e282'].map((hex) => ({
        name: `text that is not UTF-8: ${hex}`,
        sends: [small(Buffer.from(`6f6b${hex}`, 'hex'))],
        ends: badText
      })),
      {
        name: 'a bomb',
        sends: [frame(opcodes.binary, deflate(Buffer.alloc(64 * MiB)), rsv1)],
        ends: tooLarge
      },
      {
        name: 'a bomb in fragments',
        sends: [
          frame(opcodes.binary, deflate(Buffer.alloc(64 * MiB)), { rsv: 4, fin: false }),
          frame(opcodes.continuation)
        ],
        ends: tooLarge
      },
      {
        name: 'one octet too many',
        sends: [frame(opcodes.binary, deflate(Buffer.alloc(MiB + 1)), rsv1)],
        ends: tooLarge
      },
      {
        name: 'too many octets in the frame',
        sends: [frame(opcodes.binary, '', { rsv: 4, length: MiB + 1 })],
        ends: tooLarge
      },
      {
        name: 'a reserved opcode right behind a message',
        sends: [Buffer.concat([small('good'), frame(3)])],
        reports: [text('good')],
        ends: protocolError('unknown opcode 3')
      }
    ])
  )
})

t.test('ends a connection in order', (t) =>
  suite.run(
    t,
    agreed([
      {
        name: 'a message right before the close frame',
        sends: [Buffer.concat([small('last'), frame(opcodes.close, closing(4000))])],
        reports: [text('last')],
        ends: closed(4000)
      },
      {
        name: 'a message and a ping right before the close frame',
        sends: [
          Buffer.concat([small('last'), frame(opcodes.ping), frame(opcodes.close, closing(4000))])
        ],
        gets: [pong()],
        reports: [text('last')],
        ends: closed(4000)
      },
      {
        name: 'a message right behind it',
        sends: [Buffer.concat([frame(opcodes.close, closing(4000)), small('late')])],
        ends: closed(4000)
      },
      {
        name: 'fragments without the last',
        sends: [
          frame(opcodes.text, deflate(long), { rsv: 4, fin: false }),
          frame(opcodes.close, closing(4000))
        ],
        ends: closed(4000)
      },
      {
        name: 'lost after a message',
        sends: [
          small('good'),
          1,
          ({ socket }) => {
            socket.end()
          }
        ],
        gets: [deflated(text('good'))],
        ends: lost
      }
    ])
  )
)

t.test('sends short messages uncompressed unless `threshold` says otherwise', async (t) => {
  const usual = await Suite.start(t, { perMessageDeflate: true })
  const echo = (length: number): string => text('x'.repeat(length))
  await usual.run(
    t,
    agreed([
      { name: '1023 octets', sends: [small('x'.repeat(1023))], gets: [echo(1023)] },
      { name: '1024 octets', sends: [small('x'.repeat(1024))], gets: [deflated(echo(1024))] },
      {
        name: 'long, short, long',
        sends: [2000, 1, 3000].map((length) => frame(opcodes.text, 'x'.repeat(length))),
        gets: [deflated(echo(2000)), echo(1), deflated(echo(3000))]
      },
      {
        name: 'a client that offers nothing',
        request: (path) => [handshake(path)],
        sends: [frame(opcodes.text, long)],
        gets: [text(long)]
      }
    ])
  )
  await usual.finish(t)
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
