// Runs scripts/client-check.mjs, with the built client, on other runtimes. Part of
// `npm run test:matrix`. The relay is behind a proxy that cuts the client off.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import Fastify from 'fastify'
import { bundleClient } from './build-client.mjs'
import { compile, output } from './compile.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Within it a check must end: it takes about 3 s. */
const timeout = 60_000

async function listen (server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** A proxy with a control port: `/cut` resets all sockets and refuses others until `/mend`. */
async function startCutter (target) {
  const sockets = new Set()
  let isCut = false
  const proxy = createServer((near) => {
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from)
      from.on('error', () => {}).on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
    if (isCut) near.resetAndDestroy()
  })
  const control = createHttpServer((request, response) => {
    isCut = request.url === '/cut'
    if (isCut) for (const socket of sockets) socket.resetAndDestroy()
    response.end()
  })
  const close = () => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
    control.close()
    control.closeAllConnections()
  }
  return { port: await listen(proxy), controlPort: await listen(control), close }
}

async function start () {
  await compile()
  const { default: wsRelay } = await import(pathToFileURL(join(root, output, 'lib/index.js')).href)
  const folder = join(root, 'node_modules/.cache/client')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'client.mjs'), await bundleClient())
  const app = Fastify({ forceCloseConnections: true })
  await app.register(wsRelay, { resume: true })
  const echo = app.processes.spawn((self) => self.serve({
    'ws.message': ({ client_pid: pid, data }) => { self.send(pid, 'ws.send', { data }) }
  }))
  app.get('/echo', (request, reply) => { reply.relay(echo).send() })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const cutter = await startCutter(app.server.address().port)
  const client = pathToFileURL(join(folder, 'client.mjs')).href
  const close = async () => {
    cutter.close()
    await app.close()
  }
  return { args: [client, String(cutter.port), String(cutter.controlPort)], close }
}

/**
 * @param runtimes name, command and arguments of each
 * @returns the names of those that failed
 */
export async function checkClient (runtimes) {
  const { args, close } = await start()
  const failed = []
  for (const { name, command, options } of runtimes) {
    const check = join(root, 'scripts/client-check.mjs')
    const child = spawn(command, [...options, check, ...args], { stdio: 'inherit', timeout })
    const [code] = await once(child, 'exit')
    console.log(`The client on ${name}: ${code === 0 ? 'passed' : 'failed'}`)
    if (code !== 0) failed.push(name)
  }
  await close()
  return failed
}
