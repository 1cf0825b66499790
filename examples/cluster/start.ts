// `npm run demo:cluster`: three nodes, each an operating-system process, and their engine.
// A page can kill nodes with `kill -9`. They are started again after a delay, or by a click.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { freePorts, startEngine } from './engine.js'
import type { Command, Running } from './nodes.js'

const names = ['a', 'b', 'c']
/** `node.ts` beside this file; `node.js` when both were compiled. */
const nodeProgram = import.meta.filename.replace(/start(?=\.[jt]s$)/, 'node')
const comesBack = Number(process.env.COMES_BACK ?? 30_000) // milliseconds

const children = new Map<string, ChildProcess>()
const waiting = new Map<string, NodeJS.Timeout>()
let closing = false

/** Tells every node which nodes are running. */
function tell () {
  const running: Running = Object.fromEntries([...children].map(([node, { pid }]) => [node, pid!]))
  for (const child of children.values()) {
    // A node that ends cannot receive it.
    if (child.connected) child.send(running, () => {})
  }
}

function obey (command: Command) {
  if ('kill' in command) children.get(command.kill)?.kill('SIGKILL')
  else if (waiting.has(command.start)) start(command.start)
}

/** Resolves when the node accepts connections, or has ended before that. */
function start (node: string) {
  clearTimeout(waiting.get(node))
  waiting.delete(node)
  const child = fork(nodeProgram, {
    env: { ...process.env, NODE: node, ADDRESSES: JSON.stringify(addresses), ENGINE: engine.url }
  })
  children.set(node, child)
  return new Promise<boolean>((resolve) => {
    child.on('message', (message: Command | 'listening') => {
      if (message !== 'listening') return obey(message)
      resolve(true)
      tell()
    })
    child.once('exit', (code, signal) => {
      resolve(false)
      children.delete(node)
      if (closing) return
      console.log(
        `node ${node} has ended (${signal ?? code}), and starts again in ${comesBack / 1000} s`
      )
      waiting.set(node, setTimeout(start, comesBack, node))
      tell()
    })
  })
}

async function stop () {
  if (closing) return
  closing = true
  for (const timer of waiting.values()) clearTimeout(timer)
  await Promise.all([...children.values()].map(async (child) => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }))
  engine.stop()
  console.log('Stopped.')
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)

const given = process.env.ENGINE
const engine = given === undefined
  ? await startEngine(process.argv.includes('--redis') ? 'redis' : 'nats').catch((err: Error) => {
    console.error(err.message)
    process.exit(1)
  })
  : { url: given, program: 'your engine', stop () {} }
const ports = await freePorts(names.length, Number(process.env.PORT ?? 3001))
const addresses = Object.fromEntries(names.map((node, n) => [node, `http://127.0.0.1:${ports[n]}`]))

console.log(`Three nodes, with ${engine.program} at ${engine.url}:`)
const up = await Promise.all(names.map(start))
if (up.includes(false)) {
  process.exitCode = 1
  await stop()
} else if (!closing) {
  for (const [node, address] of Object.entries(addresses)) console.log(`  node ${node}  ${address}`)
  console.log(
    'Open two of them, enter the same room, and kill a node on the page. Ctrl+C stops it all.'
  )
}
