// Labels, names, reasons and errors may contain anything: a client may have chosen them.
import t from 'tap'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { look, Rig } from './views/look.js'
import { MemoryViewer } from './viewer.js'
import type { Story } from '../properties/connections/connection-bench.js'
import type { ProcessBody } from '../../types/processes.js'

const script = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
const texts = [script, '\u0000\u0001\u2028\u2029\ud800', '{"topic":"hello"}', 'a'.repeat(10_000)]

/** A body with a label that a program may have made of anything. */
function labelled (label: string): ProcessBody {
  const body: ProcessBody = async (self) => { await self.serve({}) }
  Object.defineProperty(body, 'name', { value: label })
  return body
}

t.test('sends hostile texts as JSON, cut and otherwise unchanged', async (t) => {
  const rig = new Rig({ mailboxLimit: 100 })
  const { processes } = rig
  for (const [i, text] of texts.entries()) {
    const pid = processes.spawn(labelled(text), { name: `victim ${i} ${script}`.slice(0, 200) })
    processes.groups.join(`group ${i} ${script}`, pid)
    const ended = processes.spawn(labelled(text))
    await rig.settle()
    processes.exit(ended, text.slice(0, 256))
    processes.spawn(async () => { throw Object.assign(new Error(text), { name: text }) })
    await rig.settle()
  }
  const viewer = new MemoryViewer(rig)
  for (const view of ['processes', 'groups', 'ends', 'overview'] as const) viewer.ask({ view })
  const answers: any = Object.fromEntries(
    (await viewer.read()).slice(1).map(({ data }) => [data.view, data])
  )
  const shown = texts.map((text) => text.length > 200 ? `${text.slice(0, 200)}…` : text)
  const wellFormed = (text: string): string => JSON.parse(JSON.stringify(text))
  const labels = answers.processes.rows.map(({ label }: { label: string }) => label)
  for (const text of shown) t.ok(labels.includes(wellFormed(text)))
  t.equal(answers.groups.rows.length, texts.length)
  t.ok(answers.groups.rows.every(({ name }: { name: string }) => name.endsWith(script)))
  const reasons = answers.ends.rows.map(({ reason }: { reason: string }) => reason)
  for (const text of shown) t.ok(reasons.includes(wellFormed(text)))
  t.ok(answers.overview.recent.length > 0)
  for (const text of viewer.transport.received) t.ok(text.length < 100_000)
})

t.test('shows no close reason that a client has written', async (t) => {
  const rig = new Rig()
  const { pid } = rig.target()
  await rig.settle()
  const transport = new MemoryTransport(rig.clock, 50)
  rig.connect({ pid } as Story, transport)
  transport.leave(4000, script)
  await rig.settle()
  const { rows } = await look(rig, { view: 'ends' })
  t.match(rows, [{ kind: 'ws', cause: 'client', code: 4000 }])
  t.notMatch(JSON.stringify(rows), /script/)
})

t.test('an answer has a limit in bytes, whatever the rows contain', async (t) => {
  const rig = new Rig()
  const text = '\u0001'.repeat(1000)
  for (let i = 0; i < 500; i++) rig.processes.spawn(labelled(text))
  const { rows, matched } = await look(rig, { view: 'processes', limit: 500 })
  t.equal(matched, 500)
  t.ok(rows.length > 100 && rows.length < 500)
  t.ok(Buffer.byteLength(JSON.stringify(rows)) <= 256 * 1024 + rows.length)
})
