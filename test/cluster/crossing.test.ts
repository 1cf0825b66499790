// Checks the table "What crosses" of docs/cluster.md with real nodes.
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'
import { readFile } from 'node:fs/promises'
import { types as kinds } from 'node:util'
import { runInThisContext } from 'node:vm'
import { alike } from './fixtures/alike.js'
import { TestCluster } from './nodes.js'
import { until } from '../helpers.js'
import type { Loose } from '../process/helpers.js'
import { silentLogger } from '../../lib/process/index.js'
import type { Test } from 'tap'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'
import type { ProcessSystem } from '../../types/processes.js'

interface Logged {
  readonly type: string
  readonly path: string
  readonly topic?: string
  readonly what?: string
}

interface Two { a: ProcessSystem, b: ProcessSystem, lines: Logged[] }

async function two (t: Test): Promise<Two> {
  const cluster = new TestCluster(t)
  const lines: Logged[] = []
  const warn = (about: Logged, text: string): void => {
    if (text === 'cluster: a value cannot be sent to another node') lines.push(about)
  }
  const logger = { ...silentLogger, warn, child: () => logger } as unknown as Logger
  const [a, b] = [await cluster.node('a', { logger }), await cluster.node('b', { logger })]
  return { a, b, lines }
}

/** The examples of the documented table, and whether each arrives. */
async function table (): Promise<Array<{ example: string, arrives: boolean }>> {
  const page = await readFile(join(root, 'docs/cluster.md'), 'utf8')
  const section = page.slice(
    page.indexOf('\n## What crosses'),
    page.indexOf('\n## `processes.cluster`')
  )
  const rows = [...section.matchAll(/^\| (`.*?`) \| (the same|refused)/gm)]
  return rows.flatMap(([, examples, outcome]) =>
    Array.from(examples.matchAll(/`([^`]+)`/g), ([, example]) => ({
      example,
      arrives: outcome === 'the same'
    }))
  )
}

t.test('sends or refuses each example of the documented table as documented', async t => {
  const { a, b, lines } = await two(t)
  const echo = b.spawn<Loose>(async (self) => {
    await self.serve({
      echo: (payload, { reply }) => {
        reply(payload)
      }
    })
  })
  const examples = await table()
  t.ok(examples.length > 30)
  for (const { example, arrives } of examples) {
    const value = runInThisContext(`(${example})`) as unknown
    lines.length = 0
    if (arrives) {
      const back = await a.call(echo as string, 'echo', value)
      t.ok(alike(back, value), example)
      t.strictSame(lines, [])
    } else {
      t.equal(a.send(echo as string, 'echo', value), false, example)
      await t.rejects(
        a.call(echo as string, 'echo', value),
        { code: 'FST_PROCESS_REFUSED' },
        example
      )
      t.equal(a.cluster!.groups.broadcast('group', 'topic', value), false, example)
      t.equal(lines.length, 3, `one line for each: ${example}`)
      for (const { path, type } of lines) {
        t.ok(path.startsWith('payload') && type !== '', `${type} at ${path}`)
      }
    }
    if (kinds.isPromise(value)) await value
  }
})

t.test('fails only the operation whose value cannot be sent', async t => {
  const { a, b, lines } = await two(t)
  const mail: unknown[] = []
  const there = b.spawn<Loose>(async (self) => {
    await self.serve({
      x: (payload) => {
        mail.push(payload)
      },
      ask: (payload, { reply }) => {
        reply(new Map([[{ room: 1 }, payload === 'fine' ? 1 : /x/]]))
      },
      refuse: (_payload, { fail }) => {
        fail(new Set([/x/]))
      }
    })
  })
  let ended = 0
  for (let i = 0; i < 10; i++) a.exited(there).then(() => { ended++ }, () => {})
  for (const key of [1, { a: 1 }, [1], null, new Date(0), 1n, Buffer.from('k'), new Set([1])]) {
    t.ok(a.send(there as string, 'x', new Map([[key, 1]])))
  }
  t.notOk(a.send(there as string, 'x', new Map([[new Error('x'), 1]])))
  await until(() => mail.length === 8)
  t.match(await a.call(there as string, 'ask', 'fine'), new Map([[{ room: 1 }, 1]]))
  await t.rejects(a.call(there as string, 'ask'), {
    code: 'FST_PROCESS_CALL_FAILED',
    cause: { code: 'FST_CLUSTER_INVALID_PAYLOAD', message: /RegExp at 'payload.values\(\)\[0\]'/ }
  })
  await t.rejects(a.call(there as string, 'refuse'), {
    code: 'FST_PROCESS_CALL_FAILED',
    cause: { code: 'FST_CLUSTER_INVALID_PAYLOAD', message: /RegExp at 'payload.values\(\)\[0\]'/ }
  })
  t.match(lines, [
    { topic: 'x', type: 'Error', path: 'payload.keys()[0]' },
    { what: 'answer', topic: 'ask', type: 'RegExp', path: 'payload.values()[0]' },
    { what: 'answer', topic: 'refuse', type: 'RegExp', path: 'payload.values()[0]' }
  ])
  t.equal(ended, 0)
  t.match(
    [a, b].map(({ cluster }) => cluster!.stats()),
    [
      { torn: 0, garbage: 0 },
      { torn: 0, garbage: 0 }
    ]
  )
})

t.test('sends value, error and causes of an exit to another node', async t => {
  const { a, b, lines } = await two(t)
  const run = async (body: () => unknown): ReturnType<ProcessSystem['exited']> => {
    let start!: () => void
    const started = new Promise<void>((resolve) => { start = resolve })
    const pid: Pid = b.spawn(async () => {
      await started
      return body()
    })
    const exits = Promise.all([a.exited(pid), a.exited(pid)])
    await a.call(
      b.spawn<Loose>(async (self) => {
        await self.serve({
          ping: (_payload, { reply }) => {
            reply(1)
          }
        })
      }) as string,
      'ping'
    )
    start()
    return (await exits)[0]
  }
  t.match(await run(() => ({ rooms: new Map([[[1], 2n ** 70n]]) })), {
    reason: 'normal',
    value: { rooms: new Map([[[1], 2n ** 70n]]) }
  })
  t.match(await run(() => ({ at: [/x/] })), {
    reason: 'normal',
    value: undefined,
    error: { code: 'FST_CLUSTER_INVALID_PAYLOAD', message: /RegExp at 'payload.value.at\[0\]'/ }
  })
  t.equal(lines.length, 1, 'one line, for two who watch')
  const { reason, error } = await run(() => {
    throw new RangeError('outer', { cause: new Error('inner') })
  })
  t.equal(reason, 'error')
  t.ok(error instanceof RangeError)
  t.match(error, { message: 'outer', cause: { message: 'inner' } })
  for (const thrown of ['text', 5, null, { status: 404 }]) {
    const exit = await run(() => { throw thrown })
    t.match(exit, { reason: 'error' })
    t.strictSame(exit.error!.cause, thrown)
  }
})
