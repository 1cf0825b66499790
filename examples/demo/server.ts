// `npm run demo`: the application in a process of its own, and between it and the people a network
// that the page can break.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Memory } from './app.js'
import type { Command } from './network.js'
import { Proxy } from './proxy.js'

/** Messages of the application, beside its commands: one of these fields. */
interface Report { port: number, memory: Memory, ready: true }

/** `app.ts` beside this file; `app.js` when both were compiled. */
const program = import.meta.filename.replace(/server(?=\.[jt]s$)/, 'app')

const proxy = new Proxy()
let app: ChildProcess | undefined
let isRestarting = false
let isStopping = false

/** Listens on `port`, or on a free port when it is in use. */
async function listen (port: number) {
  try {
    return await proxy.listen(port)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw err
    console.log(`Port ${port} is taken: using a free one. PORT=… chooses another.`)
    return await proxy.listen(0)
  }
}

/** Resolves with a field of a message of `child`, or with undefined when it has ended before. */
async function hear<K extends keyof Report> (child: ChildProcess, field: K) {
  return await new Promise<Report[K] | undefined>((resolve) => {
    const listen = (message: Partial<Report>) => {
      if (message[field] !== undefined) done(message[field])
    }
    const done = (value?: Report[K]) => {
      child.off('message', listen).off('exit', end)
      resolve(value)
    }
    const end = () => { done() }
    child.on('message', listen).once('exit', end)
  })
}

/** Starts the application, which gets no connections yet. */
async function start () {
  const child = fork(program, { serialization: 'advanced' })
  child.on('message', (message: Command | Partial<Report>) => {
    if ('cut' in message) proxy.cut(message.cut)
    else if ('silence' in message) proxy.silence(message.silence)
    else if ('restart' in message) restart().catch(fail)
    else return
    child.send('done')
  })
  return { child, port: await hear(child, 'port') }
}

/**
 * A restart that closes its connections one by one. The next application starts first. New
 * connections wait until it has what the last one remembers, as a database would.
 */
async function restart () {
  const last = app
  if (isRestarting || isStopping || last === undefined) return
  isRestarting = true
  const { child, port } = await start()
  if (port !== undefined && !isStopping) {
    app = child
    proxy.leadTo(undefined)
    last.send('drain')
    child.send({ memory: await hear(last, 'memory') })
    await hear(child, 'ready')
    proxy.leadTo(port)
  }
  isRestarting = false
}

function fail (err: unknown) {
  console.error(err)
  app?.kill('SIGTERM')
}

/** Resolves with the exit code of a process. */
async function ended (child: ChildProcess) {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode ?? 1
}

const port = await listen(Number(process.env.PORT ?? 3000))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    isStopping = true
    app?.kill('SIGTERM')
  })
}
const first = await start()
app = first.child
proxy.leadTo(first.port)
console.log(`\n  http://127.0.0.1:${port}\n\nOpen the demo in two windows. Ctrl+C stops it.`)
let code = 0
for (let last; last !== app;) {
  last = app
  code = await ended(last)
}
proxy.close()
if (isStopping) console.log('Stopped.')
process.exit(isStopping ? 0 : code) // an application that just starts sees that and ends
