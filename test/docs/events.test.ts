// The tables of docs/events.md agree with the types of events, and its example works.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { build, listen, logs, open, until } from '../helpers.js'
import { root } from '../program.js'
import { run, snippet } from './snippets.js'
import { rows, rowsOfSection, spans } from './tables.js'
import type { ChannelListener } from 'node:diagnostics_channel'

const page = 'docs/events.md'
const types = 'types/events.ts'
const text = await readFile(join(root, types), 'utf8')
const { statements } = ts.createSourceFile(types, text, ts.ScriptTarget.Latest, true)

/** A declaration of `types/events.ts`. */
function declaration<D extends ts.InterfaceDeclaration | ts.TypeAliasDeclaration> (
  name: string
): D {
  return statements.find((each) => {
    return (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) &&
      each.name.text === name
  }) as D
}

/** The names in a union of types. */
function union (name: string): string[] {
  const { type } = declaration<ts.TypeAliasDeclaration>(name)
  return ts.isUnionTypeNode(type) ? type.types.map((each) => each.getText()) : []
}

/** The `type` of an event, and its other fields. */
function fields (name: string): [string, string[]] {
  const members = declaration<ts.InterfaceDeclaration>(name).members as
    unknown as ts.PropertySignature[]
  const [first, ...others] = members.map((member) => {
    return member.name.getText() + (member.questionToken === undefined ? '' : '?')
  })
  if (first !== 'type') throw new Error(`${name} does not begin with 'type'`)
  return [members[0].type!.getText().replaceAll("'", ''), others]
}

const channels = declaration<ts.InterfaceDeclaration>('EventChannels').members
for (const channel of channels as unknown as ts.PropertySignature[]) {
  const name = channel.name.getText().replaceAll("'", '')
  t.test(`lists each event of ${name} with its fields`, async (t) => {
    const table = await rowsOfSection(page, `\`${name}\``, 'event', 'when', 'fields')
    t.strictSame(
      table.map(([event, , names]) => [spans(event)[0], spans(names)]),
      union(channel.type!.getText()).map(fields)
    )
  })
}

t.test('lists each reason of a refused upgrade', async (t) => {
  const table = await rows(page, '`reason` of a refusal')
  t.strictSame(
    table.map(([reason]) => spans(reason)[0]).sort(),
    union('UpgradeRefusalReason').map((reason) => reason.replaceAll("'", '')).sort()
  )
})

t.test('the example logs ends that no client caused, restarts, and who gave up', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, {}, { logger })
  const code = (await snippet(page, 'Example')).replace(/^import \{ subscribe \}.*$/m, '')
  const values = {
    app,
    subscribe (name: string, listener: ChannelListener) {
      subscribe(name, listener)
      t.teardown(() => unsubscribe(name, listener))
    }
  }
  await run(t, code, values)
  const { pid: target } = app.processes.supervise({
    maxRestarts: 1,
    children: [{ id: 'room', name: 'room', start: (self) => self.serve({}) }]
  })
  app.get('/', (_, reply) => { reply.relay('room').send() })
  const url = `ws://127.0.0.1:${await listen(app)}/`
  for (let crash = 0; crash < 2; crash++) {
    const polite = await open(t, url)
    const left = once(polite, 'close')
    polite.close()
    await left
    const client = await open(t, url)
    const closed = once(client, 'close')
    app.processes.exit('room', 'boom')
    await closed
  }
  await until(() => !app.processes.alive(target))
  const logged = lines.filter(({ msg }) => /closed:|restarted|gave up/.test(msg))
  t.match(logged, [
    { level: 30, msg: /^connection closed: target process exited$/, cause: 'target' },
    { level: 40, msg: 'restarted room, 1 times so far' },
    { level: 30, msg: /^connection closed: target process exited$/, cause: 'target' },
    { level: 60, msg: 'supervisor gave up: room keeps failing' }
  ])
  t.equal(logged.length, 4)
})
