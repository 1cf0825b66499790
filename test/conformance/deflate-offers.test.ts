// permessage-deflate (RFC 7692): offers of a client, and the parameters that the server accepts.
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { frame, opcodes } from './fixtures/raw-client.js'
import { Suite, reserved, text } from './fixtures/suite.js'
import { deflate, deflated, inflater, long, offer, rsv1, small } from './fixtures/deflate-client.js'

// Compresses all echoes.
const suite = await Suite.start(t, { perMessageDeflate: { threshold: 0 } })

/** Each offer, the response, and the behaviour of a client with these parameters. */
const accepted: Array<[offer: string, answer: string, windowBits?: number, takeover?: boolean]> = [
  ['permessage-deflate', ''],
  ['permessage-deflate; client_max_window_bits', ''],
  ['permessage-deflate; server_no_context_takeover', '; server_no_context_takeover', 15, false],
  ['permessage-deflate; client_no_context_takeover', '; client_no_context_takeover'],
  ...[8, 9, 10, 11, 12, 13, 14, 15].flatMap((bits): typeof accepted => [
    [
      `permessage-deflate; server_max_window_bits=${bits}`,
      `; server_max_window_bits=${bits}`,
      bits
    ],
    [`permessage-deflate; client_max_window_bits=${bits}`, `; client_max_window_bits=${bits}`]
  ]),
  ['permessage-deflate; server_max_window_bits="10"', '; server_max_window_bits=10', 10],
  [
    'permessage-deflate ;server_max_window_bits=9 ; server_no_context_takeover',
    '; server_max_window_bits=9; server_no_context_takeover',
    9,
    false
  ],
  ['x-unknown, permessage-deflate', ''],
  [
    'x-unknown; permessage-deflate, permessage-deflate; server_max_window_bits=12',
    '; server_max_window_bits=12',
    12
  ],
  ['permessage-deflate; client_max_window_bits, permessage-deflate', '']
]

const declined = [
  ...['08', '1e1', '0x9', '9.0', '+9', '15.0', '"08"'].flatMap((bits) => [
    `permessage-deflate; server_max_window_bits=${bits}`,
    `permessage-deflate; client_max_window_bits=${bits}`
  ]),
  ...['7', '16', '-8', '9.5', 'x', '""', '15x'].flatMap((bits) => [
    `permessage-deflate; server_max_window_bits=${bits}`,
    `permessage-deflate; client_max_window_bits=${bits}`
  ]),
  'permessage-deflate; server_max_window_bits',
  'permessage-deflate; server_max_window_bits=10; server_max_window_bits=10',
  'permessage-deflate; server_no_context_takeover=1',
  'permessage-deflate; client_no_context_takeover=true',
  'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
  'permessage-deflate; unknown',
  'permessage-deflate; unknown=1',
  'permessage-deflate;',
  'permessage-deflate; =10',
  'permessage-deflate, ,',
  'permessage deflate',
  'x-webkit-deflate-frame',
  'permessage-deflatex',
  ''
]

t.test('negotiates offers as RFC 7692 requires', async (t) => {
  const answered = (head: string): string | undefined =>
    /^sec-websocket-extensions: (.*)\r$/im.exec(head)?.[1]
  // Data that repeats, but not within the smaller windows.
  const far = randomBytes(1500).toString('base64').repeat(20)
  await suite.run(
    t,
    accepted.map(([extensions, parameters, windowBits, takeover]) => ({
      name: extensions,
      request: offer(extensions),
      inflate: inflater(windowBits, takeover),
      sends: [
        ({ head }) => {
          t.equal(answered(head), `permessage-deflate${parameters}`, `${extensions}: the answer`)
        },
        small('short'),
        frame(opcodes.text, deflate(far, undefined, 9), rsv1),
        2,
        frame(opcodes.text, far)
      ],
      gets: [text('short'), text(far), text(far)].map(deflated)
    }))
  )
  await suite.run(
    t,
    declined.map((extensions) => ({
      name: extensions,
      request: offer(extensions),
      sends: [
        ({ head }) => {
          t.equal(answered(head), undefined, `${extensions}: is declined`)
        },
        frame(opcodes.text, long),
        1,
        small('bad')
      ],
      gets: [text(long)],
      ends: reserved
    }))
  )
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
