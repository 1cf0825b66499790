// Faults of processes and of nodes.
import { setTimeout as pause } from 'node:timers/promises'
import { forgedBy } from './forged.js'
import { arrived, since, type Row } from './row.js'

export const nodeRows: Record<string, Row> = {
  async 'a remote process ends' ({ t, scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1])
    const c = await scene.node('c', hosts[2])
    const [target, linked] = [await b.ask('spawn'), await b.ask('spawn')]
    for (const node of [a, c]) {
      await node.ask('monitor', target)
      await node.ask('link', linked)
      // What was sent before is there when this is answered.
      t.equal(await node.ask('call', target, 'echo', 1), 1)
      t.equal(await node.ask('call', linked, 'echo', 2), 2)
    }
    scene.forget()
    const asked = a.ask('call', target, 'silence', 0).catch(String)
    // It has come when one that was made after it is answered.
    t.equal(await a.ask('call', target, 'echo', 3), 3)
    const at = await b.ask('exit', target, 'boom')
    const [exit] = await a.until('the exit', (seen) => seen.length === 1)
    t.match(await asked, /FST_PROCESS_CALL_FAILED/)
    await b.ask('exit', linked, 'boom')
    for (const node of [a, c]) {
      await node.until('both ends', (seen) => seen.length === 2)
      t.strictSame(node.story({ [target]: 'target', [linked]: 'linked' }), ['@exit target: boom', '@link_down linked: boom'])
    }
    await a.ask('monitor', target)
    await a.until('a third', (seen) => seen.length === 3)
    t.match(a.story({ [target]: 'target' })[2], '@exit target: noproc')
    return `@exit after ${since(at, exit)}`
  },

  async 'a node is killed, and another time started again at once' ({ t, scene, hosts, host }) {
    const a = await scene.node('a', hosts[0])
    const c = await scene.node('c', hosts[1])
    const seen: string[] = []
    let doomed = host()
    let b = await scene.node('b', doomed)
    for (const atOnce of [false, true]) {
      const [first, second, linked] = [await b.ask('spawn'), await b.ask('spawn'), await b.ask('spawn')]
      const names = { [first]: 'first', [second]: 'second', [linked]: 'linked' }
      for (const node of [a, c]) {
        await node.ask('monitor', first)
        await node.ask('monitor', second)
        await node.ask('link', linked)
        t.equal(await node.ask('call', first, 'echo', 1), 1)
      }
      scene.forget()
      const asked = a.ask('call', first, 'silence', 0).catch(String)
      t.equal(await a.ask('call', first, 'echo', 2), 2)
      const next = host()
      await next.ask('', 'lag')
      await doomed.kill()
      const at = Date.now()
      const restarted = atOnce ? scene.node('b', next) : undefined
      for (const node of [a, c]) {
        await node.until('all ends', (seen) => seen.length >= 4)
        const [down, ...ends] = node.story(names).slice(0, 4)
        t.equal(down, 'b down', 'the node comes first')
        t.strictSame(ends.sort(), ['@exit first: noconnection', '@exit second: noconnection', '@link_down linked: noconnection'])
      }
      t.match(await asked, /FST_PROCESS_CALL_FAILED/)
      seen.push(`${atOnce ? 'restarted: ' : ''}noconnection after ${since(at, a.seen[1])}`)
      b = await (restarted ?? scene.node('b', next))
      doomed = next
      await a.untilNode('b', 'up')
      t.equal(await a.ask('send', first, 'number', [1]), false, 'nothing reaches what was there before')
      await a.ask('monitor', first)
      await a.until('noproc', () => a.story(names).includes('@exit first: noproc'))
      t.equal(await a.ask('call', await b.ask('spawn'), 'echo', 2), 2)
      t.equal(a.seen.length, 6, a.toString())
      t.strictSame(c.story(names).slice(4), ['b up'])
    }
    return seen.join('; ')
  },

  async 'a node is frozen for 3 s, the loop of another is blocked for 5 s' ({ t, scene, hosts, host }) {
    const a = await scene.node('a', hosts[2])
    const b = await scene.node('b', host())
    const c = await scene.node('c', host())
    const [here, atB, atC] = [await a.ask('spawn'), await b.ask('spawn'), await c.ask('spawn')]
    for (const pid of [atB, atC]) await a.ask('monitor', pid)
    for (const node of [b, c]) await node.ask('monitor', here)
    await b.ask('monitor', atC)
    await c.ask('monitor', atB)
    await a.ask('startLoad', atB)
    await b.ask('startLoad', atC)
    await c.ask('startLoad', here)
    scene.forget()
    b.host.still = c.host.still = true
    await scene.fault(6500, async () => {
      const blocked = c.ask('block', 5000)
      b.host.freeze()
      await pause(3000)
      b.host.thaw()
      await blocked
    })
    b.host.still = c.host.still = false
    await arrived(t, await a.ask('stopLoad'), b, atB)
    await arrived(t, await b.ask('stopLoad'), c, atC)
    await arrived(t, await c.ask('stopLoad'), a, here)
    for (const node of [a, b, c]) t.strictSame(node.story(), [], node.name)
    return 'nothing'
  },

  async 'a node is frozen for 12 s' ({ t, scene, hosts, host }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', host())
    const c = await scene.node('c', hosts[1])
    const [here, there] = [await a.ask('spawn'), await b.ask('spawn')]
    for (const node of [a, c]) await node.ask('monitor', there)
    await b.ask('monitor', here)
    await a.ask('startLoad', there)
    await b.ask('received', there, 100)
    scene.forget()
    const at = Date.now()
    b.host.freeze()
    for (const node of [a, c]) {
      await node.until('its loss', (seen) => seen.length === 2)
      t.strictSame(node.story({ [there]: 'there' }), ['b down', '@exit there: noconnection'])
    }
    const loss = a.seen[1]
    const { accepted } = await a.ask('stopLoad')
    t.equal(await a.ask('send', there, 'number', [1_000_000]), false, 'nothing is taken for it')
    await pause(Math.max(0, 12_000 - (Date.now() - at)))
    b.host.thaw()
    b.host.still = false
    await Promise.all([a.untilNode('b', 'up'), c.untilNode('b', 'up')])
    await b.until('its own loss', () => b.story({ [here]: 'here' }).includes('@exit here: noconnection'))
    t.ok(await a.ask('send', there, 'number', [10_000_000]), 'its PIDs are good again')
    const tally = await b.ask('received', there, 10_000_000)
    t.ok(tally.inOrder && tally.count <= accepted + 1, `${tally.count} of ${accepted}, in order, once`)
    for (const node of [a, c]) t.strictSame(node.story().slice(2), ['b up'])
    t.equal(b.seen.filter(({ topic }) => topic === '@exit').length, 1)
    return `noconnection after ${since(at, loss)}; nodeup when it wakes`
  },

  async 'two nodes with one name' ({ t, scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const first = await scene.node('b', hosts[1])
    const there = await first.ask('spawn')
    await a.ask('monitor', there)
    t.equal(await a.ask('call', there, 'echo', 1), 1)
    scene.forget()
    const second = await scene.node('b', hosts[2])
    await a.until('the exit', (seen) => seen.length >= 3)
    t.strictSame(a.story({ [there]: 'there' }), ['b down', '@exit there: noconnection', 'b up'])
    await first.untilNode('a', 'down')
    t.strictSame(await first.ask('health'), { ready: false, problem: 'node name taken' })
    t.equal(await a.ask('send', there, 'number', [1]), false)
    t.equal(await a.ask('call', await second.ask('spawn'), 'echo', 2), 2, 'the second one is in')
    return 'the first one stops, and says so; noconnection for what lived there'
  },

  async 'garbage and forged frames come into an inbox' ({ t, scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1])
    const c = await scene.node('c', hosts[2])
    const [here, atB, atC] = [await a.ask('spawn'), await b.ask('spawn'), await c.ask('spawn')]
    await a.ask('monitor', atB)
    await a.ask('monitor', atC)
    await c.ask('startLoad', here)
    await a.ask('received', here, 100)
    t.equal(await b.ask('call', here, 'echo', 1), 1)
    scene.forget()
    const publish = await scene.forger(t, 'a', incarnationOf(here))
    const { garbage, forged } = forgedBy('b', incarnationOf(atB))
    const before = await a.ask('stats')
    for (const bytes of garbage) await publish(bytes)
    await a.ask('counted', 'garbage', before.garbage + garbage.length)
    t.strictSame(a.story(), [], 'garbage changes nothing')
    for (const [i, bytes] of forged.entries()) {
      await publish(bytes())
      // Who speaks for another resets its channel: what was bound to it ends, once, and goes on with a new one.
      await a.until('the exit', (seen) => seen.length === i + 1)
      await b.reach(here)
      await a.reach(atB)
      await a.ask('monitor', atB)
      t.equal(await a.ask('call', atB, 'echo', i), i)
    }
    await a.ask('counted', 'garbage', before.garbage + garbage.length + forged.length)
    t.strictSame(a.story({ [atB]: 'b' }), forged.map(() => '@exit b: noconnection'), 'only what the forger spoke for')
    await arrived(t, await c.ask('stopLoad'), a, here)
    return `${garbage.length} counted and dropped; ${forged.length} under another's name reset its channel, each`
  }
}

function incarnationOf (pid: string): number {
  return parseInt(pid.slice(pid.lastIndexOf('.') + 1), 36)
}
