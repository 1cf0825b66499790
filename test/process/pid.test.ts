import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { modulePath } from '../program.js'
import { checkAddress, isPid, PidFactory } from '../../lib/process/pid.js'

t.test('makes unique PIDs that name their node and count up', async (t) => {
  const pids = new PidFactory('shop-1')
  t.match(pids.nextPid(), /^1@shop-1\.[a-z0-9]+$/)
  const more = Array.from({ length: 12_000 }, () => pids.nextPid())
  t.strictSame(more.map((pid) => pid.split('@')[0]), more.map((_, i) => String(i + 2)))
  t.strictSame(new Set(more.map((pid) => pid.split('@')[1])).size, 1)
  t.ok(more.every(isPid))
})

t.test('incarnations of one operating-system process are ordered and unique', async (t) => {
  const incarnations = Array.from(
    { length: 50 },
    () => new PidFactory('local').nextPid().split('.')[1]
  )
  t.equal(new Set(incarnations).size, incarnations.length)
  t.strictSame([...incarnations].sort((a, b) => parseInt(a, 36) - parseInt(b, 36)), incarnations)
})

t.test('threads have different incarnations', async (t) => {
  const url = pathToFileURL(modulePath('lib/process/pid.ts')).href
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.url).then(({ PidFactory }) => {
      // They start at the same time.
      Atomics.add(workerData.ready, 0, 1)
      while (Atomics.load(workerData.ready, 0) < 3);
      const made = Array.from({ length: 50 }, () => new PidFactory('local').incarnation)
      parentPort.postMessage(made)
    })`
  const ready = new Int32Array(new SharedArrayBuffer(4))
  const threads = Array.from({ length: 3 }, async () => {
    const [made] = await once(new Worker(code, { eval: true, workerData: { url, ready } }), 'message')
    return made as number[]
  })
  const all = (await Promise.all(threads)).flat()
  t.equal(new Set(all).size, 150)
})

t.test('bumps the incarnation until the first PID was made', async (t) => {
  const pids = new PidFactory('local')
  const { incarnation } = pids
  pids.bumpIncarnation(incarnation - 1)
  t.equal(pids.incarnation, incarnation, 'never lowered')
  pids.bumpIncarnation(incarnation + 5000)
  t.equal(pids.incarnation, incarnation + 5000)
  const pid = pids.nextPid()
  t.equal(pid, `1@local.${(incarnation + 5000).toString(36)}`)
  t.notOk(pids.isRemote(pid))
  t.ok(new PidFactory('local').incarnation > pids.incarnation, 'later ones stay above it')
  t.throws(() => { pids.bumpIncarnation(incarnation + 6000) }, { message: /made already/ })
})

t.test('takes exactly the incarnation that the cluster has confirmed', async (t) => {
  const pids = new PidFactory('local')
  const other = new PidFactory('other')
  other.bumpIncarnation(other.incarnation + 9000)
  pids.bumpIncarnation(other.incarnation - 1)
  t.equal(pids.incarnation, other.incarnation - 1, 'whatever other systems of this process have')
  t.ok(new PidFactory('local').incarnation > other.incarnation)
})

t.test('treats a PID with another node name as remote', async (t) => {
  const pids = new PidFactory('local')
  t.notOk(pids.isRemote(pids.nextPid()))
  t.notOk(pids.isRemote('1@local.abc'), 'an earlier incarnation of this node')
  t.ok(pids.isRemote('1@other.abc'))
  t.notOk(pids.isRemote('a-name'))
})

t.test('recognizes the form of a PID', async (t) => {
  for (const pid of ['1@local.mi3k9x2a', '42@a_b-C9.0', `9@${'n'.repeat(64)}.z`]) {
    t.ok(isPid(pid), pid)
  }
  const wrong = [
    '',
    '0@local.a',
    '1@local',
    '@local.a',
    '1@.a',
    '1@lo cal.a',
    '1@local.A',
    'lobby',
    `1@${'n'.repeat(65)}.z`,
    `${'1'.repeat(200)}@a.b`,
    5,
    null,
    undefined,
    {}
  ]
  for (const value of wrong) t.notOk(isPid(value), String(value))
})

t.test('accepts only strings as addresses', async (t) => {
  checkAddress('anything')
  for (const value of [undefined, null, 5, {}, Symbol('pid')]) {
    t.throws(
      () => {
        checkAddress(value)
      },
      { code: 'FST_PROCESS_INVALID_PID' }
    )
  }
})
