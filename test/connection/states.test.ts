// Walks the table of states at the head of lib/connection/connection.ts.
import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { closedByClient, violated } from '../../lib/connection/close-reasons.js'
import { Rig } from './transports/clients.js'
import { MemoryEncoder } from './transports/memory-transport.js'
import type { CloseReason } from '../../lib/connection/close-codes.js'
import type { Connection } from '../../lib/connection/connection.js'
import type { Transport, TransportEvents } from '../../lib/connection/transport.js'
import type { Test } from 'tap'
import type { ConnectionExit, Exit } from '../../types/messages.js'

/** A transport that only records its calls. It has handed nothing over until the test says so. */
function recorder (calls: string[]): Transport {
  let isPaused = false
  return {
    kind: 'ws',
    get isPaused () { return isPaused },
    writer: {
      encoder: new MemoryEncoder(), bufferedBytes: 0, allowsBurst: () => false, sendEncoded () {}
    },
    open () { calls.push('open') },
    redirect: () => undefined,
    pause () {
      isPaused = true
      calls.push('pause')
    },
    resume () {
      isPaused = false
      calls.push('resume')
    },
    handOver () { calls.push('hand over') },
    close ({ cause }) { calls.push(`close as ${cause}`) }
  }
}

interface Case {
  readonly rig: Rig
  readonly connection: Connection
  readonly events: TransportEvents
  readonly targetEnds: () => void
  /** The process that has the name of the target from now on. */
  readonly nameIsBack: () => void
  readonly timeIsOver: () => void
}

const own = closedByClient(4000, 'bye')
const broken = violated(1002, 'protocol error')

/** The events of the table. */
const events: Record<string, (at: Case) => void> = {
  'the client is lost': ({ events }) => { events.onTransportEnd(closeCodes.lost) },
  'the client closes': ({ events }) => { events.onTransportEnd(own) },
  'the client breaks the protocol': ({ events }) => { events.onTransportEnd(broken) },
  'ws.close': ({ rig, connection }) => { rig.processes.send(connection.pid, 'ws.close') },
  'exit with shutdown': ({ connection }) => { connection.cancel() },
  'a link fails': ({ connection }) => { connection.linkFailed('boom') },
  'messages are missed': ({ connection }) => { connection.missed(1) },
  kill: ({ connection }) => { connection.end('killed', undefined, { cause: 'killed' }) },
  'the target ends': ({ targetEnds }) => { targetEnds() },
  'the name is back': ({ nameIsBack }) => { nameIsBack() },
  'the time is over': ({ timeIsOver }) => { timeIsOver() },
  'handed over': ({ events }) => { events.onHandedOver() },
  'the transport is closed': ({ events }) => { events.onTransportClose() }
}

type Name = keyof typeof events
type Row = readonly [
  before: readonly Name[], event: Name, calls: readonly string[], exit: string | undefined
]

const first: readonly Name[] = [
  'the client is lost', 'the client closes', 'the client breaks the protocol', 'ws.close',
  'exit with shutdown', 'a link fails', 'messages are missed'
]
const causes: Record<Name, CloseReason['cause']> = {
  'the client is lost': 'lost',
  'the client closes': 'client',
  'the client breaks the protocol': 'protocol',
  'ws.close': 'process',
  'exit with shutdown': 'shutdown',
  'a link fails': 'exit',
  'messages are missed': 'slow'
}
const lost: readonly Name[] = ['the client is lost']

/** The calls of the transport by an event, and the cause of the exit that it leads to. */
const table: readonly Row[] = [
  // Open.
  ...first.map((event): Row => [[], event, ['hand over'], undefined]),
  [[], 'kill', ['hand over', 'close as killed'], 'killed'],
  [[], 'the target ends', ['close as target'], 'target'],
  // Ending.
  ...first.map((name): Row => [[name], 'handed over', [`close as ${causes[name]}`], causes[name]]),
  ...first.map((name): Row => {
    return [[name], 'the target ends', [`close as ${causes[name]}`], causes[name]]
  }),
  ...first.map((name): Row => [[name], 'kill', ['close as killed'], 'killed']),
  ...first.flatMap((name) => first.map((later): Row => [[name], later, [], undefined])),
  // Another reason counts after `lost` only, and only that of the client.
  [[...lost, 'the client closes'], 'handed over', ['close as client'], 'client'],
  [[...lost, 'the client breaks the protocol'], 'handed over', ['close as protocol'], 'protocol'],
  [[...lost, 'ws.close'], 'handed over', ['close as lost'], 'lost'],
  [[...lost, 'a link fails'], 'handed over', ['close as lost'], 'lost'],
  [['ws.close', 'the client closes'], 'handed over', ['close as process'], 'process'],
  // Ended.
  ...Object.keys(events).map((event): Row => [['kill'], event, [], undefined]),
  ...Object.keys(events).map((event): Row => [['ws.close', 'handed over'], event, [], undefined])
]

/** Events that close nothing by themselves. */
const lasting: readonly Name[] = [
  'the transport is closed', 'the target ends', 'the name is back', 'the time is over'
]
const fails: readonly Name[] = ['the target ends']

/** The same with `on_target_exit: 'park'`, where it is different. */
const parkTable: readonly Row[] = [
  [[], 'the target ends', ['pause'], undefined],
  [fails, 'the name is back', ['resume'], undefined],
  [fails, 'the time is over', ['close as target'], 'target'],
  [fails, 'kill', ['hand over', 'close as killed'], 'killed'],
  ...first.map((event): Row => [fails, event, ['hand over'], undefined]),
  ...first.map((name): Row => {
    return [[...fails, name], 'handed over', [`close as ${causes[name]}`], causes[name]]
  }),
  ...first.flatMap((name): readonly Row[] => [
    [[...fails, name], 'the name is back', [], undefined],
    [[...fails, name], 'the time is over', [], undefined],
    [[name], 'the target ends', [`close as ${causes[name]}`], causes[name]]
  ]),
  [[...fails, 'the time is over'], 'the name is back', [], undefined],
  [[...fails, 'the name is back'], 'the time is over', [], undefined],
  [[...fails, 'the name is back'], 'the target ends', ['pause'], undefined]
]

async function walk (t: Test, rows: readonly Row[], isParking: boolean): Promise<void> {
  for (const [before, event, expected, exit] of rows) {
    const rig = new Rig()
    const calls: string[] = []
    const exits: Array<Exit & { value?: ConnectionExit }> = []
    let target = rig.target()
    rig.processes.names.register('target', target.pid)
    rig.clock.run()
    const header = isParking
      ? { target_pid: 'target', on_target_exit: 'park', park: '1s' }
      : { target_pid: target.pid }
    const connection = rig.connect(target, recorder(calls), header)
    const at: Case = {
      rig,
      connection,
      events: connection,
      targetEnds: () => {
        connection.targetEnded({ pid: target.pid, reason: 'boom' })
        rig.processes.names.unregister('target')
      },
      nameIsBack: () => {
        rig.processes.names.unregister('target')
        target = rig.target()
        rig.processes.names.register('target', target.pid)
        rig.clock.run()
      },
      timeIsOver: () => { rig.clock.advance(1100) }
    }
    rig.runtime.exitSignals.monitor(connection.pid, {
      targetEnded: (exit) => { exits.push(exit as Exit & { value?: ConnectionExit }) }
    })
    for (const name of before) events[name](at)
    calls.length = exits.length = 0
    events[event](at)
    const name = `${event} after ${before.join(', ') || 'nothing'}`
    t.strictSame(calls, expected, name)
    t.strictSame(exits.map(({ value }) => value!.cause), exit === undefined ? [] : [exit], name)
    const happened = [...before, event]
    const isOpen = happened.every((name) => lasting.includes(name)) &&
      (isParking
        ? !happened.join().startsWith('the target ends,the time is over')
        : event !== 'the target ends')
    t.equal(rig.processes.send(connection.pid, 'ws.send', { data: 'x' }), isOpen, name)
    t.equal(rig.relay.connections.size, event === 'the transport is closed' ? 0 : 1, name)
  }
}

t.test('follows the table of its states', async (t) => { await walk(t, table, false) })
t.test('follows it when it parks', async (t) => { await walk(t, parkTable, true) })
