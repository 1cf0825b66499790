// Faults of processes and of nodes.
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { arrived, nodeLost, partlyArrived, since, type Row } from './row.js'

export const nodeRows: Record<string, Row> = {
  async 'a remote process ends' ({ scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1])
    const c = await scene.node('c', hosts[2])
    const [target, linked] = [await b.ask('spawn'), await b.ask('spawn')]
    for (const node of [a, c]) {
      await node.ask('monitor', target)
      await node.ask('link', linked)
      // Monitor and link are in place when these calls are answered.
      assert.equal(await node.ask('call', target, 'echo', 1), 1)
      assert.equal(await node.ask('call', linked, 'echo', 2), 2)
    }
    const client = await scene.client(a, target)
    scene.forget()
    const asked = a.ask('call', target, 'silence', 0).catch(String)
    // The first call has arrived when this later one is answered.
    assert.equal(await a.ask('call', target, 'echo', 3), 3)
    const at = await b.ask('exit', target, 'boom')
    const [exit] = await a.until('the exit', (seen) => seen.length === 1)
    assert.match(String(await asked), /FST_PROCESS_CALL_FAILED/)
    const end = await client.untilClosed()
    assert.equal(end, '1011 target process exited')
    await b.ask('exit', linked, 'boom')
    for (const node of [a, c]) {
      await node.until('both ends', (seen) => seen.length === 2)
      assert.deepEqual(node.story({ [target]: 'target', [linked]: 'linked' }), [
        '@exit target: boom',
        '@link_down linked: boom'
      ])
    }
    await a.ask('monitor', target)
    await a.until('a third', (seen) => seen.length === 3)
    assert.equal(a.story({ [target]: 'target' })[2], '@exit target: noproc')
    return `@exit after ${since(at, exit)}; sockets: ${end}`
  },

  async 'a node is killed, and in a second run restarted at once' ({ scene, hosts, host }) {
    const a = await scene.node('a', hosts[0])
    const c = await scene.node('c', hosts[1])
    const heir = await c.ask('spawn')
    const seen: string[] = []
    let doomed = host()
    let b = await scene.node('b', doomed)
    for (const atOnce of [false, true]) {
      const [first, second, linked] = [
        await b.ask('spawn'),
        await b.ask('spawn'),
        await b.ask('spawn')
      ]
      const names = { [first]: 'first', [second]: 'second', [linked]: 'linked' }
      const name = `leader-${atOnce}`
      const held = await b.ask('register', name, first)
      for (const node of [a, c]) {
        await node.ask('monitor', first)
        await node.ask('monitor', second)
        await node.ask('link', linked)
        assert.equal(await node.ask('call', first, 'echo', 1), 1)
      }
      const client = await scene.client(a, first)
      scene.forget()
      const asked = a.ask('call', first, 'silence', 0).catch(String)
      assert.equal(await a.ask('call', first, 'echo', 2), 2)
      const next = host()
      // Resolves when the process has started.
      await next.longestStall(0)
      await doomed.kill()
      const at = Date.now()
      const taking = c.ask('takeOver', name, heir)
      const restarted = atOnce ? scene.node('b', next) : undefined
      restarted?.catch(() => {})
      for (const node of [a, c]) {
        await node.until('all ends', (seen) => seen.length >= 4)
        const [down, ...ends] = node.story(names).slice(0, 4)
        assert.equal(down, 'b down', 'the node comes first')
        assert.deepEqual(ends.sort(), [
          '@exit first: noconnection',
          '@exit second: noconnection',
          '@link_down linked: noconnection'
        ])
      }
      assert.match(String(await asked), /FST_PROCESS_CALL_FAILED/)
      const end = await client.untilClosed()
      assert.equal(end, nodeLost)
      const taken = await taking
      assert.ok(taken.fence > held.fence)
      assert.deepEqual(await a.ask('lookup', name), { pid: heir, fence: taken.fence })
      seen.push(
        `${atOnce ? 'restarted: ' : ''}noconnection after ${since(at, a.seen[1])}, its name ` +
          `taken over after ${since(at, taken)}; sockets: ${end}`
      )
      b = await (restarted ?? scene.node('b', next))
      doomed = next
      await a.untilNode('b', 'up')
      assert.equal(
        await a.ask('send', first, 'number', [1]),
        false,
        'PIDs of the old incarnation are dead'
      )
      await a.ask('monitor', first)
      await a.until('noproc', () => a.story(names).includes('@exit first: noproc'))
      assert.equal(await a.ask('call', await b.ask('spawn'), 'echo', 2), 2)
      assert.equal(a.seen.length, 6, a.toString())
      assert.deepEqual(c.story(names).slice(4), ['b up'])
    }
    return seen.join('; ')
  },

  async 'three nodes are restarted one after the other' ({ scene, hosts }) {
    const nodes = [
      await scene.node('a', hosts[0]),
      await scene.node('b', hosts[1]),
      await scene.node('c', hosts[2])
    ]
    const counted: Record<string, number> = {}
    const freed: string[] = []
    for (const [i, closing] of nodes.entries()) {
      const targets = await Promise.all(nodes.map((node) => node.ask('spawn')))
      const clients = await Promise.all(
        nodes.flatMap((node) =>
          targets.map(async (target, at) => ({
            node,
            at,
            client: await scene.client(node, target)
          }))
        )
      )
      const heir = nodes[(i + 1) % 3]
      await closing.ask('takeOver', `name ${i}`, targets[i])
      const start = Date.now()
      nodes[i] = await scene.restart(closing, hosts[i])
      freed.push(since(start, await heir.ask('takeOver', `name ${i}`, targets[(i + 1) % 3])))
      for (const { node, at, client } of clients) {
        if (node === closing || at === i) {
          const end = await client.untilClosed()
          counted[end] = (counted[end] ?? 0) + 1
        } else {
          client.sendNext()
          await client.untilEchoed()
          assert.ok(client.undisturbed, client.end)
        }
      }
    }
    assert.deepEqual(counted, { '1001 server shutting down': 9, '1012 target node closing': 6 })
    return 'of 27 clients the 9 of the closing nodes got 1001, the 6 with a target there 1012 ' +
      `target node closing, and 12 noticed nothing; names free after ${freed.join(', ')}`
  },

  async 'a node is frozen for 3 s, the event loop of another is blocked for 5 s' ({
    scene,
    hosts,
    host
  }) {
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
    const clients = [await scene.client(a, atB), await scene.client(a, atC)]
    scene.forget()
    c.host.disturbed = true
    await scene.fault(6500, async () => {
      const blocked = c.ask('block', 5000)
      b.host.freeze()
      for (const client of clients) client.sendNext()
      await pause(3000)
      b.host.thaw()
      await blocked
    })
    const loads = [await a.ask('stopLoad'), await b.ask('stopLoad'), await c.ask('stopLoad')]
    await arrived(loads[0], b, atB)
    await arrived(loads[1], c, atC)
    await arrived(loads[2], a, here)
    for (const client of clients) {
      await client.untilEchoed()
      assert.ok(client.undisturbed, client.end)
    }
    for (const node of [a, b, c]) assert.deepEqual(node.story(), [], node.name)
    const messages = loads.reduce((sum, { accepted }) => sum + accepted, 0)
    return `no effect: of ${messages} messages 0 lost, 0 duplicated, in order`
  },

  async 'a node is frozen for 16 s' ({ scene, hosts, host }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', host())
    const c = await scene.node('c', hosts[1])
    const [here, there, holder, heir] = [
      await a.ask('spawn'),
      await b.ask('spawn'),
      await b.ask('spawn'),
      await c.ask('spawn')
    ]
    const names = { [here]: 'here', [there]: 'there', [holder]: 'holder' }
    const held = await b.ask('register', 'leader', holder)
    for (const node of [a, c]) await node.ask('monitor', there)
    for (const pid of [here, holder]) await b.ask('monitor', pid)
    await a.ask('startLoad', there)
    await b.ask('received', there, 100)
    const client = await scene.client(a, there)
    scene.forget()
    const at = Date.now()
    b.host.freeze()
    const taking = c.ask('takeOver', 'leader', heir)
    for (const node of [a, c]) {
      await node.until('its loss', (seen) => seen.length === 2)
      assert.deepEqual(node.story(names), ['b down', '@exit there: noconnection'])
    }
    const loss = a.seen[1]
    const end = await client.untilClosed()
    assert.equal(end, nodeLost)
    const load = await a.ask('stopLoad')
    assert.equal(
      await a.ask('send', there, 'number', [1_000_000]),
      false,
      'no message to it is accepted'
    )
    await pause(Math.max(0, 16_000 - (Date.now() - at)))
    b.host.thaw()
    await Promise.all([a.untilNode('b', 'up'), c.untilNode('b', 'up')])
    await b.until('its own losses', () =>
      ['@exit here: noconnection', '@exit holder: name_lost'].every((line) =>
        b.story(names).includes(line)
      )
    )
    await a.reach(there)
    const lost = await partlyArrived(load, a, b, there)
    const taken = await taking
    assert.ok(taken.fence > held.fence)
    for (const node of [a, b, c]) {
      assert.deepEqual(await node.ask('lookup', 'leader'), { pid: heir, fence: taken.fence })
    }
    for (const node of [a, c]) assert.deepEqual(node.story().slice(2), ['b up'])
    assert.equal(b.seen.filter(({ topic }) => topic === '@exit').length, 2, b.toString())
    return `noconnection after ${since(at, loss)}, ${lost} of ${load.accepted} messages lost ` +
      `with it; its name taken over after ${since(at, taken)}; up again when it is thawed; ` +
      `sockets: ${end}`
  }
}
