// The contract of cluster-wide names and groups.
import { pause } from '../../laps.js'
import { probe } from '../../process/helpers.js'
import type { Sentence } from './nodes.js'

export function shared (sentence: Sentence): void {
  sentence(
    'gives a name one holder that every node finds, and frees it when the holder ends',
    async (t, { a, b, c }) => {
      const { names } = a.cluster!
      const [one, two] = [await b.spawn(), await c.spawn()]
      const first = await granted(async () => await b.ask('names', 'register', 'biller', one.pid))
      t.match(await names.lookup('biller'), { pid: one.pid, fence: first.fence })
      t.match(await c.ask('names', 'lookup', 'biller'), { pid: one.pid })
      await t.rejects(c.ask('names', 'register', 'biller', two.pid), {
        code: 'FST_CLUSTER_NAME_TAKEN'
      })
      await one.exit('boom')
      const second = await taken(async () => await c.ask('names', 'register', 'biller', two.pid))
      t.ok(second.fence > first.fence, `${second.fence} after ${first.fence}`)
      t.match(await names.lookup('biller'), { pid: two.pid })
      t.equal(await c.ask('names', 'unregister', 'biller'), true)
      t.equal(await names.lookup('biller'), undefined)
      await t.rejects(
        names.register('biller', two.pid),
        { code: 'FST_PROCESS_NOT_ALIVE' },
        'only for local processes, as in OTP'
      )
      await two.exit()
    }
  )

  sentence('accepts ids of users as names of processes and groups', async (t, { a, b, c }) => {
    for (const id of [
      'auth0|5f7c',
      'ada+1@mail.example.com',
      'José',
      'user 1/*.>',
      '日'.repeat(85),
      'x'.repeat(256)
    ]) {
      const process = await b.spawn()
      await granted(async () => await b.ask('names', 'register', id, process.pid))
      t.match(await c.ask('names', 'lookup', id), { pid: process.pid }, id)
      await b.ask('groups', 'join', id, process.pid)
      t.strictSame((await a.cluster!.groups.members(id)).members, [process.pid])
      t.ok(a.cluster!.groups.broadcast(id, 'hello'))
      await process.until(1)
      await process.exit()
    }
  })

  sentence(
    'delivers a broadcast to each member on every node once, without the exception',
    async (t, { a, b, c }) => {
      const { groups } = a.cluster!
      const here = probe(a)
      const there = await b.spawn()
      const third = await c.spawn()
      await Promise.all([
        groups.join('news', here.pid),
        groups.join('news', here.pid),
        b.ask('groups', 'join', 'news', there.pid),
        c.ask('groups', 'join', 'news', third.pid)
      ])
      t.strictSame(
        (await groups.members('news')).members.sort(),
        [here.pid, there.pid, third.pid].sort()
      )
      t.ok(groups.broadcast('news', 'one', { n: 1 }))
      t.ok(groups.broadcast('news', 'two', 2, { except: there.pid }))
      t.ok(await b.ask('groups', 'broadcast', 'news', 'three', 3))
      await Promise.all([third.until(3), here.until(3), there.until(2)])
      t.strictSame(there.topics.sort(), ['one', 'three'])
      // The two of `a` keep their order. The one of `b` may come at any place.
      for (const topics of [third.topics, here.seen.map(({ topic }) => topic as string)]) {
        t.strictSame(
          topics.filter((topic) => topic !== 'three'),
          ['one', 'two']
        )
        t.equal(topics.length, 3)
      }
      t.notOk(
        groups.broadcast('news', 'bad', () => {}),
        'not plain data'
      )
      await there.exit()
      t.equal(await groups.leave('news', here.pid), true)
      while ((await groups.members('news')).members.includes(there.pid)) await pause()
      a.exit(here.pid)
      await third.exit()
    }
  )
}

/**
 * Retries until the register grants names. A new register grants none until every lease of an
 * earlier one must have expired.
 */
async function granted<T> (register: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await register()
    } catch (err) {
      if ((err as { code?: string }).code !== 'FST_CLUSTER_UNAVAILABLE') throw err
      await pause()
    }
  }
}

/** Retries until a name is free: its node frees it shortly after its holder has ended. */
async function taken<T> (register: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await register()
    } catch (err) {
      if (tries === 1000 || (err as { code?: string }).code !== 'FST_CLUSTER_NAME_TAKEN') throw err
      await pause()
    }
  }
}
