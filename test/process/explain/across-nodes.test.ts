// Chains over several nodes, without a cluster: answers of other versions, and long chains.
import t from 'tap'
import { explainAcrossNodes } from '../../../lib/process/explain/across-nodes.js'
import { ManualClock } from '../../properties/clock.js'
import { buildRuntime } from '../helpers.js'
import type { AcrossNodesHost } from '../../../lib/process/explain/across-nodes.js'
import type { Findings } from '../../../lib/process/explain/findings.js'
import type { RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { End } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

const pid = (serial: number): Pid => `${serial}@far.1` as Pid

function end (serial: number, more: Partial<End> = {}): End {
  return {
    pid: pid(serial),
    kind: 'process',
    label: '',
    at: 0,
    ago: 0,
    uptime: 0,
    reason: 'boom',
    cause: 'link',
    because: pid(serial + 1),
    ...more
  }
}

function findings (serial: number, more: Partial<Findings> = {}): Findings {
  return {
    pid: pid(serial),
    state: 'ended',
    text: '',
    chain: [end(serial)],
    connections: 1,
    processes: 0,
    ...more
  }
}

/** A node without processes; `answer` is that of all other nodes. */
function host (answer: (serial: number) => unknown): { host: AcrossNodesHost, asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    host: {
      explainer: { findingsOf: () => undefined } as unknown as AcrossNodesHost['explainer'],
      clusterAccess: { remoteNodesFor: () => ({}) as never },
      messenger: {
        async request (_remote, to) {
          asked.push(to)
          return answer(Number(to.split('@')[0]))
        }
      }
    }
  }
}

t.test('ends a chain after ten ends, and asks nobody else', async (t) => {
  const far = host((serial) => findings(serial))
  const explained = (await explainAcrossNodes(far.host, pid(1)))!
  t.equal(explained.chain.length, 10)
  t.equal(far.asked.length, 10)
  t.equal(explained.together, 10)
  t.match(explained.text, /, because 11@far\.1 ended; 10 connections ended with it$/)
  const both = host((serial) => findings(serial, {
    chain: Array.from({ length: 9 }, (_, i) => end(serial + i))
  }))
  t.equal((await explainAcrossNodes(both.host, pid(1)))!.chain.length, 10)
  t.equal(both.asked.length, 2)
})

t.test('ends a chain at a process that lives or was never there', async (t) => {
  for (const last of [undefined, findings(2, { state: 'alive', chain: [] })]) {
    const far = host((serial) => serial === 1 ? findings(1) : last)
    const explained = (await explainAcrossNodes(far.host, pid(1)))!
    t.match(explained.chain, [{ pid: pid(1) }])
    t.match(explained.text, /, because 2@far\.1 ended$/)
  }
})

t.test('does not follow a process that was only out of reach', async (t) => {
  for (const more of [{ reason: 'noconnection' }, { closeReason: 'target node lost' }]) {
    const far = host((serial) => findings(serial, { chain: [end(serial, more)] }))
    const explained = (await explainAcrossNodes(far.host, pid(1)))!
    t.equal(explained.chain.length, 1)
    t.match(explained.text, /, because the node of 2@far\.1 could not be reached$/)
  }
})

t.test('takes an answer that cannot be read for none', async (t) => {
  const answers = [
    null, 5, 'text', {}, [], { ...findings(1), chain: {} }, { ...findings(1), chain: [5] },
    { ...findings(1), pid: 1 }, { ...findings(1), state: 1 }, { ...findings(1), text: 1 },
    { ...findings(1), connections: '1' }, { ...findings(1), processes: NaN }
  ]
  for (const answer of answers) {
    const explained = await explainAcrossNodes(host(() => answer).host, pid(1))
    t.match(explained, { pid: pid(1), state: 'unreachable', chain: [], together: 0 })
  }
})

t.test('waits five seconds for an answer', async (t) => {
  const clock = new ManualClock()
  const { runtime } = buildRuntime({ clock })
  const sent: unknown[] = []
  const nowhere = {
    send: (...args: unknown[]) => sent.push(args.slice(0, 4)) > 0,
    monitor () {},
    demonitor () {}
  }
  runtime.clusterAccess.joinCluster(nowhere as unknown as RemoteNodes)
  const explained = explainAcrossNodes(runtime, pid(1))
  t.strictSame(sent, [[pid(1), '@explain', undefined, undefined]])
  clock.advance(4999)
  t.equal(clock.runningTimers, 1)
  clock.advance(1)
  t.match(await explained, { pid: pid(1), state: 'unreachable' })
})

t.test('resolves with undefined when the node has not made the PID', async (t) => {
  t.equal(await explainAcrossNodes(host(() => undefined).host, pid(1)), undefined)
})
