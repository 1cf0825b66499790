// The table of docs/close-codes.md is the table of lib/connection/close-codes.ts.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { closeCodes, given, transferred } from '../../lib/connection/close-codes.js'
import { overLimit } from '../../lib/connection/limits/rate-limiter.js'
import { violations } from '../../lib/websocket/parser-events.js'
import { root } from '../program.js'
import { rows, spans } from './tables.js'
import type { CloseRow } from '../../lib/connection/close-codes.js'

const closeRows: readonly CloseRow[] = Object.values(closeCodes)
const head = [
  '`cause`',
  'when',
  'the client sees',
  '`reason` in `ws.leave`',
  'exit reason of the PID'
]

/** Whether the docs state a value. A value that is not fixed is described in words. */
function states (cell: string, value: string | typeof given): boolean {
  return value === given ? spans(cell).length === 0 : spans(cell).includes(value)
}

function clientSees (cell: string, { code, clientReason }: CloseRow): boolean {
  if (clientReason === undefined) return cell === '(1006)'
  if (code === given || clientReason === given) return spans(cell).length === 0
  return cell.startsWith(`${code} \`${clientReason}\``)
}

t.test('the table of close codes has each row of the code, in the same order', async (t) => {
  const table = await rows('docs/close-codes.md', ...head)
  t.equal(table.length, closeRows.length + 1)
  for (const [i, row] of closeRows.entries()) {
    const [cause, when, seen, leave, exit] = table[i]
    t.strictSame([cause, when], [`\`${row.cause}\``, row.when])
    t.ok(clientSees(seen, row), `${when}: the client sees ${seen}`)
    // A target that has ended gets no `ws.leave`. For a remote one, its own node sends another one.
    const isStated = row.cause === 'target' || states(leave, row.leaveReason) ||
      (leave === 'the same' && row.leaveReason === row.clientReason)
    t.ok(isStated, `${when}: the leave has ${leave}`)
    t.ok(states(exit, row.exitReason), `${when}: the exit reason is ${exit}`)
  }
})

t.test('the last row of the table is the transfer, which ends no connection', async (t) => {
  const table = await rows('docs/close-codes.md', ...head)
  const [cause, , seen, leave] = table.at(-1)!
  t.strictSame([cause, seen], [`\`${transferred.cause}\``, 'nothing'])
  t.ok(states(leave, transferred.leaveReason))
})

t.test('the row of violations names each code, in the order of its reasons', async (t) => {
  const table = await rows('docs/close-codes.md', ...head)
  const [, when, seen] = table.find(([cause]) => cause === '`protocol`')!
  const reasons = when.split('; ')
  const codes = seen.split('; ').map(Number)
  const fixed = [...Object.values(violations), overLimit]
  t.strictSame(new Set(codes), new Set(fixed.map(({ code }) => code)))
  t.equal(codes.length, reasons.length)
  for (const [i, reason] of reasons.entries()) {
    t.ok(
      fixed.some((violation) => violation.reason === reason && violation.code === codes[i]),
      reason
    )
  }
})

t.test("the demo's page explains each code that the server closes with", async (t) => {
  const path = join(root, 'examples/demo/public/codes.js')
  const { codes } = await import(pathToFileURL(path).href) as { codes: Map<unknown, unknown> }
  const closes = [...closeRows, ...Object.values(violations)].map(({ code }) => code)
  for (const code of closes) if (typeof code === 'number') t.ok(codes.has(code), String(code))
})
