import t from 'tap'
import { createServer, get } from 'node:http'
import { once } from 'node:events'
import { build } from './helpers.js'
import { ManualClock } from '../properties/clock.js'
import { nextLap, TestClock } from '../laps.js'
import { Scheduler } from '../../lib/process/scheduler.js'
import type { AddressInfo } from 'node:net'
import type { Runnable } from '../../lib/process/scheduler.js'
import type { Loose } from './helpers.js'
import type { Process } from '../../types/processes.js'

function schedulerOn (clock: ManualClock): Scheduler {
  // Small times have the smallest rounding errors.
  clock.time = 0
  return new Scheduler(clock, clock, clock.order)
}

/** A runnable whose turns take some time. */
function runnable (turn: () => unknown): Runnable {
  return { queued: false, turn: () => turn() === true }
}

t.test('queues a runnable once, and runs it later', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  const order: string[] = []
  const one = runnable(() => {
    order.push('one')
    return order.length < 3 ? (scheduler.schedule(one), false) : false
  })
  const two = runnable(() => order.push('two'))
  scheduler.schedule(one)
  scheduler.schedule(one)
  scheduler.schedule(two)
  t.strictSame(order, [])
  t.equal(clock.tasks.length, 1)
  clock.run()
  t.strictSame(order, ['one', 'two', 'one'])
  t.notOk(one.queued)
})

t.test('reports whether a turn is pending', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  t.equal(scheduler.hasPendingTurns, false)
  scheduler.schedule(runnable(() => undefined))
  t.equal(scheduler.hasPendingTurns, true)
  clock.run()
  t.equal(scheduler.hasPendingTurns, false)
})

t.test('lets a test choose the next runnable', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  const order: string[] = []
  for (const name of ['one', 'two', 'three']) scheduler.schedule(runnable(() => order.push(name)))
  clock.choice = 1
  clock.run()
  t.strictSame(order, ['two', 'three', 'one'])
})

t.test('tells the time once, after the turns that run now', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  const times: number[] = []
  const listener = (now: number) => { times.push(now) }
  t.equal(scheduler.awaitTime(listener), false, 'no turn runs')
  const ask = runnable(() => {
    t.equal(scheduler.awaitTime(listener), true)
    clock.time += 7
  })
  for (let i = 1; i < 3; i++) {
    scheduler.schedule(ask)
    clock.run()
    clock.yieldOnce()
    t.equal(times.length, i)
  }
  t.strictSame(times, [7, 14])
})

/** A scheduler with endless mail. Each turn takes the given time. */
function flooded (ms: number) {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  let taken = 0
  const endless = runnable(() => {
    taken++
    clock.time += ms
    scheduler.schedule(endless)
    return false
  })
  scheduler.schedule(endless)
  return {
    clock,
    scheduler,
    /** The number of turns until the next yield. */
    run () {
      const before = taken
      clock.run()
      return taken - before
    },
    /** Yields for some milliseconds. @returns the number of turns after it */
    yieldFor (ms: number) {
      const before = taken
      clock.time += ms
      clock.yieldOnce()
      return taken - before
    }
  }
}

t.test('yields to the event loop after a time budget', async (t) => {
  for (const [ms, most] of [[0.01, 11], [0.06, 3], [1, 1], [10, 1]]) {
    const { clock, scheduler, run, yieldFor } = flooded(ms)
    let taken = run()
    for (let i = 0; i < 5; i++) {
      t.ok(taken > 0 && taken <= most, `${taken} turns of ${ms} ms`)
      t.equal(clock.laterTasks.length, 1, 'a yield was scheduled')
      scheduler.schedule(runnable(() => {}))
      t.equal(clock.tasks.length, 0, 'nothing goes on before it')
      taken = yieldFor(0)
    }
  }
})

t.test('uses half of the time for turns, for any length of a yield', async (t) => {
  const { run, yieldFor } = flooded(0.25)
  t.equal(run(), 1)
  t.equal(yieldFor(2), 1, 'a single long yield does not change the budget')
  t.equal(yieldFor(1), 4)
  t.equal(yieldFor(3), 4)
  t.equal(yieldFor(3), 12)
  t.equal(yieldFor(0), 1)
  t.equal(yieldFor(1000), 1)
  t.equal(yieldFor(1000), 20, 'within bounds')
})

t.test('shares one clock read among short turns, until a turn is long', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  let looks = 0
  clock.now = () => { looks++; return clock.time }
  const run = (ms: number) => {
    looks = 0
    for (let i = 0; i < 100; i++) scheduler.schedule(runnable(() => { clock.time += ms }))
    clock.run()
  }
  run(0.0001)
  t.ok(looks > 100 / 8 && looks < 20, `${looks} looks at 100 short turns`)
  run(0.0009)
  t.ok(looks > 100 / 8 && looks < 20, `${looks} looks`)
  t.ok(scheduler.longestTurn < 0.01)
  scheduler.schedule(runnable(() => { clock.time += 0.05 }))
  clock.run()
  run(0.0001)
  t.ok(looks > 100 / 8 && looks < 20, `${looks} looks`)
  for (let i = 0; i < 20; i++) scheduler.schedule(runnable(() => { clock.time += 0.004 }))
  looks = 0
  clock.run()
  t.ok(looks > 6, `${looks} looks at 20 turns that are not short together`)
})

t.test('starts with a whole budget after the queue was empty', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  // With more of them it looks whether the event loop goes on.
  for (let i = 0; i < 60; i++) {
    scheduler.schedule(runnable(() => { clock.time += 0.05 }))
    clock.run()
    clock.time += 1
  }
  t.equal(clock.laterTasks.length, 0)
})

t.test('does nothing after a yield when the queue is empty', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  scheduler.schedule(runnable(() => { clock.time += 1 }))
  clock.run()
  t.equal(clock.laterTasks.length, 1)
  clock.yieldOnce()
  t.equal(clock.tasks.length, 0)
  let ran = 0
  scheduler.schedule(runnable(() => { ran++ }))
  t.equal(clock.tasks.length, 1, 'it is awake again')
  clock.run()
  t.equal(ran, 1)
})

t.test('lets a few bodies continue between drains, and measures them', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  let handed = 0
  for (let i = 0; i < 40; i++) scheduler.schedule(runnable(() => { handed++; return true }))
  clock.tasks.shift()!()
  t.equal(handed, 16)
  clock.time += 0.0625
  clock.tasks.shift()!()
  t.equal(handed, 32)
  t.equal(scheduler.longestTurn, 0.0625)
  clock.time += 0.03125
  clock.run()
  t.equal(handed, 40)
  t.equal(scheduler.longestTurn, 0.0625)
  clock.time += 100
  scheduler.schedule(runnable(() => { clock.time += 0.03125 }))
  clock.run()
  t.equal(scheduler.longestTurn, 0.0625, 'idle time is nobody\'s turn')
})

t.test('measures a body that takes mail outside its turn, and makes it yield', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  t.ok(scheduler.mayContinue())
  t.ok(scheduler.mayContinue())
  t.equal(clock.tasks.length, 1)
  clock.tasks.shift()!()
  clock.time += 5
  t.ok(scheduler.mayContinue())
  clock.tasks.shift()!()
  t.equal(scheduler.longestTurn, 5)
  for (let i = 0; i < 5; i++) {
    clock.time += 3
    scheduler.mayContinue()
    clock.tasks.shift()?.()
  }
  t.notOk(scheduler.mayContinue())
  clock.run()
  clock.yieldOnce()
  t.ok(scheduler.mayContinue())
})

const bodies: Record<string, (self: Process<Loose>, work: () => void) => Promise<unknown>> = {
  serve: (self, work) =>
    self.serve({}, () => {
      work()
      self.send(self.pid, 'more')
    }),
  loop: async (self, work) => {
    for await (const { topic } of self.inbox) {
      work()
      self.send(self.pid, topic)
    }
  },
  receive: async (self, work) => {
    for (;;) {
      await self.receive()
      work()
      self.send(self.pid, 'more')
    }
  },
  poll: async (self, work) => {
    for (;;) {
      await self.receive({ timeout: 0 })
      work()
      self.send(self.pid, 'more')
    }
  }
}

t.test('serves HTTP and other processes under endless mail', async (t) => {
  const server = createServer((_request, response) => {
    response.end('served')
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (const [name, body] of Object.entries(bodies)) {
    const processes = build(t)
    const worked = new Array<number>(100).fill(0)
    for (let i = 0; i < worked.length; i++) {
      const pid = processes.spawn<Loose>((self) => body(self, () => {
        worked[i]++
        const end = performance.now() + 0.02
        while (performance.now() < end);
      }))
      for (let j = 0; j < 100; j++) processes.send(pid, 'more')
    }
    for (let request = 0; request < 3; request++) {
      const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
      t.equal(response.statusCode, 200, name)
      response.resume()
    }
    while (worked.includes(0)) await new Promise(setImmediate)
    t.pass(`${name}: everybody had a turn`)
    await processes.close()
  }
})

/** Bodies that go on in microtasks after each step, and never wait for anything else. */
const endless: Record<string, (self: Process<Loose>) => () => Promise<unknown>> = {
  'calls that are answered by serve': (self) => {
    const callee = self.spawn((other: Process<Loose>) => other.serve({
      ask: (_, { reply }) => { reply() }
    }))
    return () => self.call(callee, 'ask')
  },
  'calls that are answered by receive': (self) => {
    const callee = self.spawn(async (other: Process<Loose>) => {
      for (;;) (await other.receive())!.reply()
    })
    return () => self.call(callee, 'ask')
  },
  'calls to nobody': (self) => () => self.call('nobody', 'ask').catch(() => {}),
  'calls without a topic': (self) => () => self.call('nobody', '').catch(() => {}),
  'calls that are refused': (self) => {
    const full = self.spawn(async (other) => { await other.exited(self.pid) }, { mailboxLimit: 1 })
    self.send(full, 'x')
    return () => self.call(full, 'ask').catch(() => {})
  },
  'the ends of dead processes': (self) => () => self.exited('nobody'),
  'the ends of processes without an address': (self) => () => self.exited('').catch(() => {}),
  'the ends of new processes': (self) => () => self.exited(self.spawn(() => {})),
  'receives of a process that is stopping': (self) => {
    self.cancel(self.pid)
    return () => self.receive().catch(() => {})
  },
  'receives without a topic': (self) => () => self.receive({ topic: '' }).catch(() => {})
}

t.test('the event loop goes on while a body awaits what comes at once', async (t) => {
  for (const [name, stepOf] of Object.entries(endless)) {
    const processes = build(t)
    const loop = { rounds: 0, laps: 0 }
    const lap = (): void => { if (++loop.laps < 3) setImmediate(lap) }
    setImmediate(lap)
    const pid = processes.spawn<Loose>(async (self) => {
      const step = stepOf(self)
      while (loop.laps < 3 && loop.rounds++ < 1e6) await step()
    })
    await processes.exited(pid)
    t.ok(loop.rounds < 1e6, `${name}: ${loop.laps} laps in ${loop.rounds} rounds`)
    await processes.close()
  }
})

t.test('yields when the event loop does not go on between short drains', async (t) => {
  const clock = new ManualClock()
  const scheduler = schedulerOn(clock)
  let turns = 0
  const step = (): void => {
    scheduler.schedule(runnable(() => {
      turns++
      clock.time += 0.0625
    }))
    clock.run()
  }
  for (let i = 0; i < 65; i++) step()
  t.equal(clock.laterTasks.length, 1, 'it looks whether the loop goes on')
  clock.yieldOnce()
  for (let i = 0; i < 65; i++) step()
  t.equal(turns, 130)
  // 5 ms later.
  for (let i = 0; i < 80; i++) step()
  t.equal(turns, 130 + 79)
  for (let i = 0; i < 10; i++) step()
  t.equal(turns, 130 + 79, 'nothing goes on before the yield')
  clock.yieldOnce()
  t.ok(turns > 130 + 79)
})

t.test('reports the blocking code as the longest turn', async (t) => {
  const clock = new TestClock(t)
  for (const [name, body] of Object.entries(bodies)) {
    for (const position of [0, 5]) {
      const processes = build(t)
      let count = 0
      const blocked = new Promise<void>((resolve) => {
        const pid = processes.spawn<Loose>((self) => body(self, () => {
          if (count++ !== position) return
          clock.pass(30)
          resolve()
        }))
        for (let i = 0; i < 10; i++) processes.send(pid, 'x')
      })
      await blocked
      await nextLap()
      const { longestTurn } = processes.stats()
      t.ok(longestTurn >= 30, `${name}: ${longestTurn}`)
      await processes.close()
    }
  }
})
