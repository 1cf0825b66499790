import t from 'tap'
import { modulePath, modulesLoadedBy } from '../program.js'

t.test('no other module loads the dashboard, and it needs no package of its own', async (t) => {
  const load = (path: string): string => `await import(${JSON.stringify(modulePath(path))})\n`
  const stdout = await modulesLoadedBy(
    `${load('lib/index.ts')}console.log('then')\n${load('lib/dashboard/index.ts')}`
  )
  const [relay, own] = stdout.split('then\n')
  t.match(relay, /lib\/index/)
  t.notMatch(relay, /lib\/dashboard/)
  t.match(own, /lib\/dashboard\/index/)
  // The relay loads these by itself, a little later.
  t.notMatch(own, /node_modules\/(?!bufferutil\/|node-gyp-build\/|fastify-ws-relay-native\/)/)
})
