import t from 'tap'
import { crash, TestCluster } from './support.js'

t.test('a name is taken over 8 s after the last renewal of a node that died was seen', async (t) => {
  for (let phase = 0; phase < 2000; phase += 250) {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const { fence } = await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
    await cluster.run(phase)
    const pid = b.here.spawn()
    const died = cluster.world.now
    await crash(a)
    let taken: { readonly fence: number } | undefined
    while (taken === undefined) {
      taken = await cluster.settle(b.cluster.names.register('leader', pid)).catch(async () => {
        await cluster.run(200)
        return undefined
      })
    }
    const took = cluster.world.now - died
    t.ok(took > 6000 && took < 8500, `after ${took} ms`)
    t.ok(taken.fence > fence)
  }
})
