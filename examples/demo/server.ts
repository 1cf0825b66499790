// `npm run demo`: the application in a process of its own, and between it and the people a network
// that the page can break.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Command } from './network.js'
import { Proxy } from './proxy.js'

/** `app.ts` beside this file; `app.js` when both were compiled. */
const program = import.meta.filename.replace(/server(?=\.[jt]s$)/, 'app')

const proxy = new Proxy()

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

const port = await listen(Number(process.env.PORT ?? 3000))
const app = fork(program)
app.on('message', (message: Command | { port: number }) => {
  if ('cut' in message) proxy.cut(message.cut)
  else if ('silence' in message) proxy.silence(message.silence)
  else {
    proxy.leadTo(message.port)
    console.log(`\n  http://127.0.0.1:${port}\n\nOpen the demo in two windows. Ctrl+C stops it.`)
  }
})

let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true
    app.kill('SIGTERM')
  })
}
const [code] = await once(app, 'exit') as [number | null]
proxy.close()
if (stopping) console.log('Stopped.')
else process.exitCode = code ?? 1
