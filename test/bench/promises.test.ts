// Counts the promises of each message, without time measurement.
import { createHook } from 'node:async_hooks'
import t from 'tap'
import { createProcesses } from '../../lib/process/index.js'
import type { Test } from 'tap'
import type { Process } from '../../lib/process/index.js'

const messages = 1000

/** The number of new promises for each of `count` messages. */
async function promisesIn (work: () => Promise<void>): Promise<number> {
  let promises = 0
  const hook = createHook({ init (_id, type) { if (type === 'PROMISE') promises++ } }).enable()
  await work()
  hook.disable()
  return promises / messages
}

/** The number of promises for a message, after a body has handled some. */
async function promisesPerMessage (
  t: Test,
  body: (self: Process, one: () => void) => unknown
): Promise<number> {
  const processes = createProcesses()
  t.teardown(() => processes.close())
  let left = 0
  let done = (): void => {}
  const pid = processes.spawn((self) =>
    body(self, () => {
      if (--left === 0) done()
    })
  )
  const round = async (): Promise<void> => {
    const all = new Promise<void>((resolve) => {
      done = resolve
    })
    left = messages
    for (let i = 0; i < messages; i++) processes.send(pid, 'tick', i)
    await all
  }
  await round()
  return await promisesIn(round)
}

t.test('serve makes no promise for a message', async (t) => {
  const promises = await promisesPerMessage(t, (self, one) => self.serve({ tick: one } as object))
  // The promises of the round itself, and of a turn with many messages.
  t.ok(promises < 0.02, `${promises} a message`)
})

/** A loop awaits each message. The hook itself adds promises for that, which are counted. */
async function promisesOfAwait (): Promise<number> {
  return await promisesIn(async () => {
    for (let i = 0; i < messages; i++) await Promise.resolve(i)
  })
}

t.test('a loop over the inbox makes at most one more than its await', async (t) => {
  const promises = await promisesPerMessage(t, async (self, one) => {
    for await (const message of self.inbox) if ((message.topic as string) === 'tick') one()
  })
  t.ok(promises <= await promisesOfAwait() + 1.02, `${promises} a message`)
})

t.test('so does a loop of receives', async (t) => {
  const promises = await promisesPerMessage(t, async (self, one) => {
    while ((await self.receive()).topic as string === 'tick') one()
  })
  t.ok(promises <= await promisesOfAwait() + 1.02, `${promises} a message`)
})
