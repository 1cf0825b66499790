import t from 'tap'
import { modulePath, modulesLoadedBy } from '../program.js'

t.test('no other module loads the dashboard, and it loads no package but the relay\'s', async (t) => {
  const relay = await modulesLoadedBy(`await import(${JSON.stringify(modulePath('lib/index.ts'))})`)
  t.notMatch(relay, /lib\/dashboard/)
  const both = await modulesLoadedBy(
    `await import(${JSON.stringify(modulePath('lib/index.ts'))})
     await import(${JSON.stringify(modulePath('lib/dashboard/index.ts'))})`
  )
  t.match(both, /lib\/dashboard\/index/)
  const packages = (text: string): string[] => {
    return [...new Set([...text.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)/g)].map(([, name]) => name))]
      .sort()
  }
  t.strictSame(packages(both), packages(relay))
})
