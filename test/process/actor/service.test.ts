import t from 'tap'
import { build, deferred, drain, probe, settle } from '../helpers.js'
import type { AnyMessage, Loose } from '../helpers.js'
import type { Process } from '../../../types/processes.js'

t.test('handlers get the payload and the message, one at a time and in order', async (t) => {
  const processes = build(t)
  const log: unknown[] = []
  const gate = deferred()
  const pid = processes.spawn<Loose>(async (self) => {
    await self.serve({
      slow: async (payload) => {
        log.push('slow begins')
        await gate.promise
        log.push('slow ends')
      },
      fast: (payload, { topic, from }) => {
        log.push([topic, payload, from])
      }
    })
  })
  processes.send(pid, 'slow')
  processes.send(pid, 'fast', 1)
  await settle()
  t.strictSame(log, ['slow begins'])
  gate.resolve()
  await settle()
  t.strictSame(log, ['slow begins', 'slow ends', ['fast', 1, undefined]])
})

t.test(
  'passes other topics to the fallback; without one they are dead letters, and calls fail',
  async (t) => {
    const processes = build(t)
    const all = probe(processes)
    processes.send(all.pid, 'anything', 1)
    t.match(await all.until(1), [{ topic: 'anything', payload: 1 }])
    const none = processes.spawn((self) => self.serve({}))
    processes.send(none, 'anything')
    // Members of Object.prototype are no handlers.
    await t.rejects(processes.call(none, 'toString'), { code: 'FST_PROCESS_CALL_FAILED' })
    t.equal(processes.stats().deadLetters, 2)
  }
)

t.test('passes topics named like members of Object.prototype to the fallback', async (t) => {
  const processes = build(t)
  const seen: unknown[] = []
  const pid = processes.spawn<Loose>((self) =>
    self.serve(
      {
        constructor: (payload: unknown) => {
          seen.push(payload)
        }
      },
      ({ topic }) => {
        seen.push(topic)
      }
    )
  )
  for (const topic of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
    processes.send(pid, topic, 'handled')
  }
  processes.cancel(pid)
  await processes.exited(pid)
  t.strictSame(seen, ['handled', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', '@cancel'])
})

t.test('counts no dead letter for a system topic without a handler', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(async (self) => {
    self.monitor(processes.spawn(() => {}))
    await self.serve({})
  })
  await settle()
  t.equal(processes.info(pid)?.mailbox, 0)
  t.equal(processes.stats().deadLetters, 0)
})

t.test('stop inside a handler settles serve, and the body cleans up', async (t) => {
  const processes = build(t)
  const cases: Record<string, (self: Process) => unknown> = {
    'in a synchronous handler': (self) => self.stop('enough'),
    'in an asynchronous handler': async (self) => {
      await settle()
      self.stop('enough')
    },
    'swallowed by the handler': (self) => {
      try {
        self.stop('enough')
      } catch {}
    },
    'swallowed by an asynchronous handler': async (self) => {
      await null
      try {
        self.stop('enough')
      } catch {}
    }
  }
  for (const [name, handler] of Object.entries(cases)) {
    const handled: string[] = []
    const pid = processes.spawn<Loose>(async (self) => {
      await self.serve(
        {
          go: () => {
            handled.push('go')
            return handler(self as never)
          }
        },
        ({ topic }) => {
          handled.push(topic)
        }
      )
      handled.push('clean-up')
    })
    processes.send(pid, 'go')
    processes.send(pid, 'after')
    t.match(await processes.exited(pid), { reason: 'enough', error: undefined }, name)
    t.strictSame(handled, ['go', 'clean-up'], name)
  }
})

t.test(
  'ends the process when a handler throws, even when the body catches the error',
  async (t) => {
    const processes = build(t)
    const error = new Error('broken')
    const bodies: Record<string, (served: Promise<void>, self: Process) => unknown> = {
      'awaits it': async (served) => {
        await served
      },
      'swallows it': async (served) => {
        await served.catch(() => {})
      },
      'fails to notice': async (_served, self) => {
        await self.receive({ topic: '@exit' })
      },
      'awaits the signal': (_served, self) =>
        new Promise((resolve) => {
          self.signal.onabort = resolve
        })
    }
    for (const [name, body] of Object.entries(bodies)) {
      for (const handler of [
        () => {
          throw error
        },
        async () => {
          await null
          throw error
        }
      ]) {
        const pid = processes.spawn<Loose>((self) =>
          body(self.serve({ go: handler }), self as never)
        )
        await settle()
        processes.send(pid, 'go')
        processes.send(pid, 'never handled')
        t.match(await processes.exited(pid), { reason: 'error', error }, name)
      }
    }
    t.equal(processes.stats().delivered, 8)
  }
)

t.test('adds the error of a handler that fails after a stop or a cancel to the exit', async (t) => {
  const processes = build(t)
  const error = new Error('broken')
  const stopped = processes.spawn<Loose>((self) =>
    self.serve({
      go () {
        try {
          self.stop()
        } catch {
          throw error
        }
      }
    })
  )
  processes.send(stopped, 'go')
  t.match(await processes.exited(stopped), { reason: 'error', error })
  const cancelled = processes.spawn((self) => self.serve({ '@cancel' () { throw error } }))
  processes.cancel(cancelled)
  t.match(await processes.exited(cancelled), { reason: 'shutdown', error })
})

t.test('treats a handler result with a throwing `then` as a handler that throws', async (t) => {
  const processes = build(t)
  const error = new Error('broken')
  const pid = processes.spawn<Loose>((self) =>
    self.serve({
      go: () => ({
        get then () {
          throw error
        }
      })
    })
  )
  processes.send(pid, 'go')
  t.match(await processes.exited(pid), { reason: 'error', error })
})

t.test('lets handlers finish, and handles queued mail, after a cancel', async (t) => {
  const processes = build(t)
  const gate = deferred()
  const log: string[] = []
  const pid = processes.spawn<Loose>(async (self) => {
    await self.serve({ slow: () => gate.promise }, ({ topic }) => { log.push(topic) })
    log.push('clean-up')
  })
  for (const topic of ['slow', 'a', 'b']) processes.send(pid, topic)
  await settle()
  processes.cancel(pid)
  gate.resolve()
  await processes.exited(pid)
  t.strictSame(log, ['a', 'b', '@cancel', 'clean-up'])
})

t.test('still handles earlier mail when a cancel rejects a receive of a handler', async (t) => {
  const processes = build(t)
  const log: string[] = []
  const pid = processes.spawn<Loose>(async (self) => {
    await self.serve(
      {
        ask: async () => {
          await self.receive({ topic: 'answer' })
        }
      },
      ({ topic }) => {
        log.push(topic)
      }
    )
  })
  for (const topic of ['ask', 'a', 'b']) processes.send(pid, topic)
  await settle()
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown', error: undefined })
  t.strictSame(log, ['a', 'b', '@cancel'])
})

t.test('settles serve at an exit while a handler is running', async (t) => {
  const processes = build(t)
  const settled = deferred()
  const gate = deferred()
  const pid = processes.spawn<Loose>(async (self) => {
    await self.serve({ slow: () => gate.promise })
    settled.resolve()
  })
  processes.send(pid, 'slow')
  await settle()
  processes.exit(pid)
  await settled.promise
  gate.resolve()
  await settle()
})

t.test('handles no more mail after a handler ended its own process', async (t) => {
  const processes = build(t)
  let handled = 0
  const pid = processes.spawn<Loose>((self) =>
    self.serve({
      go () {
        handled++
        self.exit(self.pid)
      }
    })
  )
  processes.send(pid, 'go')
  processes.send(pid, 'go')
  await settle()
  t.equal(handled, 1)
})

t.test('settles serve at once when it is called after the stop', async (t) => {
  const processes = build(t)
  const cancelled = processes.spawn(async (self) => {
    await drain(self.inbox)
    await self.serve({})
    return 'over'
  })
  processes.cancel(cancelled)
  t.match(await processes.exited(cancelled), { value: 'over' })
  const stopped = processes.spawn(async (self) => {
    try {
      self.stop()
    } catch {}
    await self.serve({})
    return 'over'
  })
  t.match(await processes.exited(stopped), { value: 'over' })
})

t.test('allows another serve only after the first one has settled', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(async (self) => {
    const first = self.serve({})
    t.throws(() => self.serve({}), { code: 'FST_PROCESS_ALREADY_SERVING' })
    await first
    await self.serve({})
  })
  await settle()
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown' })
})

t.test('throws for wrong handlers', async (t) => {
  const processes = build(t)
  for (const args of [[], [null], [5], ['x'], [{ x: 5 }], [{ x: null }], [{}, 5], [{}, null]]) {
    const pid = processes.spawn((self) => self.serve(...args as [never]))
    t.match(await processes.exited(pid), {
      reason: 'error',
      error: { code: 'FST_PROCESS_INVALID_SPEC' }
    })
  }
  const pid = processes.spawn((self) => self.serve({ '@exit': undefined }, undefined))
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown' })
})

t.test('fulfills a receive in a handler', async (t) => {
  const processes = build(t)
  const log: unknown[] = []
  const pid = processes.spawn<Loose>((self) =>
    self.serve({
      ask: async () => {
        log.push(['asked', ((await self.receive({ topic: 'answer' })) as AnyMessage).payload])
      },
      other: () => {
        log.push('other')
      }
    })
  )
  for (const topic of ['ask', 'other', 'answer']) processes.send(pid, topic, topic)
  await settle()
  t.strictSame(log, [['asked', 'answer'], 'other'])
})

t.test('fulfills a receive that a handler did not await, and serves other topics', async (t) => {
  const processes = build(t)
  const log: unknown[] = []
  const pid = processes.spawn<Loose>((self) => self.serve({
    ask: () => { self.receive({ topic: 'answer' }).then(() => { log.push('answered') }, () => {}) },
    answer: () => { log.push('handled') },
    other: () => { log.push('other') }
  }))
  for (const topic of ['ask', 'other', 'answer', 'answer', 'ask', 'ask', 'answer', 'answer']) {
    processes.send(pid, topic)
  }
  await settle()
  t.equal(log.filter((entry) => entry === 'answered').length, 3)
  t.equal(log.filter((entry) => entry === 'handled').length, 1)
  t.ok(log.includes('other'))
})

t.test(
  'fulfills a receive that was not awaited with a message of the handler to itself',
  async (t) => {
    const processes = build(t)
    const log: unknown[] = []
    const pid = processes.spawn<Loose>((self) =>
      self.serve({
        ask: () => {
          self.receive({ topic: 'answer' }).then(
            () => {
              log.push('received')
            },
            () => {}
          )
          self.send(self.pid, 'answer')
        },
        answer: () => {
          log.push('handled')
        }
      })
    )
    processes.send(pid, 'ask')
    await settle()
    t.strictSame(log, ['received'])
  }
)
