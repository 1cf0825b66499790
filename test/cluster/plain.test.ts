import t from 'tap'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { isPlain } from '../../lib/cluster/plain.js'

const zeros = (count: number): number[] => Array<number>(count).fill(0)

/** One value of each format of MessagePack that is plain data. */
const formats: Readonly<Record<string, readonly number[]>> = {
  'positive fixint': [0x7f],
  'negative fixint': [0xe0],
  fixmap: [0x81, 0xa1, 0x61, 1],
  fixarray: [0x92, 1, 2],
  fixstr: [0xa2, 0x61, 0x62],
  'longest fixstr': [0xbf, ...zeros(31)],
  nil: [0xc0],
  false: [0xc2],
  true: [0xc3],
  'bin 8': [0xc4, 2, 0, 0],
  'bin 16': [0xc5, 1, 0, ...zeros(256)],
  'bin 32': [0xc6, 0, 0, 1, 0, ...zeros(256)],
  'timestamp 96': [0xc7, 12, 0xff, ...zeros(12)],
  'float 32': [0xca, ...zeros(4)],
  'float 64': [0xcb, ...zeros(8)],
  'uint 8': [0xcc, 1],
  'uint 16': [0xcd, 1, 2],
  'uint 32': [0xce, ...zeros(4)],
  'uint 64': [0xcf, ...zeros(8)],
  'int 8': [0xd0, 1],
  'int 16': [0xd1, 1, 2],
  'int 32': [0xd2, ...zeros(4)],
  'int 64': [0xd3, ...zeros(8)],
  undefined: [0xd4, 0, 0],
  'timestamp 32': [0xd6, 0xff, ...zeros(4)],
  'timestamp 64': [0xd7, 0xff, ...zeros(8)],
  'str 8': [0xd9, 1, 0x61],
  'str 16': [0xda, 1, 0, ...zeros(256)],
  'str 32': [0xdb, 0, 0, 1, 0, ...zeros(256)],
  'array 16': [0xdc, 0, 2, 1, 2],
  'array 32': [0xdd, 0, 0, 0, 2, 1, 2],
  'map 16': [0xde, 0, 1, 1, 2],
  'map 32': [0xdf, 0, 0, 0, 1, 1, 2]
}

t.test('each format of plain data is taken, if it is whole and nothing is behind it', async (t) => {
  for (const [name, bytes] of Object.entries(formats)) {
    t.ok(isPlain(Buffer.from(bytes)), name)
    for (let length = 0; length < bytes.length; length++) {
      if (isPlain(Buffer.from(bytes.slice(0, length)))) t.fail(`${name}, cut after ${length} bytes`)
    }
    t.notOk(isPlain(Buffer.from([...bytes, 0xc0])), `${name}, and something behind it`)
  }
})

t.test('what makes the decoder build anything but plain data is refused', async (t) => {
  const refused: Readonly<Record<string, readonly number[]>> = {
    'a token that is none': [0xc1],
    'ext 8 of a type of its own': [0xc7, 1, 0x65, 0],
    'ext 16': [0xc8, 0, 4, 0xff, ...zeros(4)],
    'ext 32': [0xc9, 0, 0, 0, 4, 0xff, ...zeros(4)],
    'fixext 1 of a type of its own': [0xd4, 0x65, 0],
    'fixext 2': [0xd5, 0xff, 0, 0],
    'fixext 16': [0xd8, 0xff, ...zeros(16)],
    'a timestamp of five bytes': [0xc7, 5, 0xff, ...zeros(5)],
    'a timestamp of one byte': [0xd4, 0xff, 0],
    'undefined, in four bytes': [0xd6, 0, ...zeros(4)]
  }
  for (const [name, bytes] of Object.entries(refused)) {
    t.notOk(isPlain(Buffer.from(bytes)), name)
    t.notOk(isPlain(Buffer.from([0x92, 1, ...bytes])), `${name}, inside of an array`)
  }
})

t.test('64 levels are taken, and no more', async (t) => {
  const nested = (levels: number, innermost: number): Buffer => Buffer.from([...Array<number>(levels - 1).fill(0x91), innermost])
  t.ok(isPlain(nested(64, 0x90)))
  t.ok(isPlain(nested(64, 1)))
  t.notOk(isPlain(nested(65, 0x90)))
  t.notOk(isPlain(nested(65, 1)))
  t.notOk(isPlain(nested(1_000_000, 1)), 'and the stack holds')
})

t.test('a count that announces more than there is ends with the bytes', async (t) => {
  for (const token of [0xdd, 0xdf]) t.notOk(isPlain(Buffer.from([token, 0xff, 0xff, 0xff, 0xff, 1, 2])))
  for (const token of [0xc6, 0xdb]) t.notOk(isPlain(Buffer.from([token, 0xff, 0xff, 0xff, 0xff, 1, 2])))
})

t.test('all that a packer makes of JSON is plain', async (t) => {
  const packr = new Packr({ useRecords: false })
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => isPlain(packr.pack(value))))
})
