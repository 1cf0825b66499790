// Bits and opcodes that RFC 6455 reserves end the connection with 1002.
import t from 'tap'
import { closing, frame, opcodes } from './fixtures/raw-client.js'
import { Suite, chopped, pong, protocolError, reserved, text } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)
const start = frame(opcodes.text, 'begun ', { fin: false })
const good = frame(opcodes.text, 'good')

/** The names of the reserved bits, for values from 1 to 7. */
function bits (rsv: number): string {
  return [rsv & 4 && 'RSV1', rsv & 2 && 'RSV2', rsv & 1 && 'RSV3'].filter(Boolean).join(' and ')
}

t.test('a reserved bit is an error in every frame', async (t) => {
  const cases: Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) =>
    Object.entries(opcodes).map(([kind, opcode]) => {
      const bad = frame(opcode, opcode === opcodes.close ? closing(1000) : 'bad', { rsv })
      return {
        name: `${bits(rsv)} in a ${kind} frame`,
        sends: opcode === opcodes.continuation ? [start, bad] : [bad],
        ends: reserved
      }
    })
  )
  await suite.run(t, cases)
  await suite.run(t, chopped(1, cases.filter(({ name }) => name.startsWith('RSV1 in'))))
})

t.test('a reserved bit is an error at any position in the stream', (t) =>
  suite.run(
    t,
    [1, 2, 4, 7].flatMap((rsv) => [
      {
        name: `${bits(rsv)} after a good message`,
        sends: [good, 1, frame(opcodes.text, 'bad', { rsv }), frame(opcodes.ping)],
        gets: [text('good')],
        ends: reserved
      },
      {
        name: `${bits(rsv)} after a good ping`,
        sends: [Buffer.concat([frame(opcodes.ping, 'good'), frame(opcodes.ping, 'bad', { rsv })])],
        gets: [pong('good')],
        ends: reserved
      },
      {
        name: `${bits(rsv)} in a first fragment`,
        sends: [frame(opcodes.binary, 'bad', { rsv, fin: false }), frame(opcodes.continuation)],
        ends: reserved
      },
      {
        name: `${bits(rsv)} in a ping between fragments`,
        sends: [start, frame(opcodes.ping, '', { rsv }), frame(opcodes.continuation, 'ended')],
        ends: reserved
      }
    ])
  )
)

t.test('a reserved opcode is an error', async (t) => {
  const cases: Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => {
    const ends = protocolError(`unknown opcode ${opcode}`)
    return [
      { name: `opcode ${opcode}`, sends: [frame(opcode)], ends },
      { name: `opcode ${opcode} with a payload`, sends: [frame(opcode, 'payload')], ends },
      {
        name: `opcode ${opcode} after a good message`,
        sends: [good, 1, frame(opcode, 'bad'), frame(opcodes.ping)],
        gets: [text('good')],
        ends
      },
      {
        name: `opcode ${opcode} between fragments`,
        sends: [start, frame(opcode), frame(opcodes.continuation, 'ended')],
        ends
      },
      {
        name: `opcode ${opcode} as a fragment`,
        sends: [frame(opcode, 'bad', { fin: false })],
        ends
      }
    ]
  })
  await suite.run(t, cases)
  await suite.run(t, chopped(1, cases.filter(({ name }) => !name.includes('message'))))
})

t.test('reports an error in the first octet before the next octets arrive', (t) =>
  suite.run(t, [
    { name: 'a reserved bit', sends: [Buffer.from([0xc1])], ends: reserved },
    {
      name: 'a reserved opcode',
      sends: [Buffer.from([0x83])],
      ends: protocolError('unknown opcode 3')
    },
    {
      name: 'a message behind it',
      sends: [Buffer.concat([frame(3), good, frame(opcodes.ping), frame(opcodes.close)])],
      ends: protocolError('unknown opcode 3')
    },
    {
      name: 'a megabyte behind it',
      sends: [Buffer.concat([frame(3), Buffer.alloc(1024 * 1024)])],
      ends: protocolError('unknown opcode 3')
    },
    {
      // The target gets the message, but its echo comes after the error in the same octets.
      name: 'a good message right before it',
      sends: [Buffer.concat([good, frame(3)])],
      reports: [text('good')],
      ends: protocolError('unknown opcode 3')
    }
  ])
)

t.test('no connection is left afterwards', (t) => suite.finish(t))
