// The tables of docs/messages.md agree with the types of messages and with the relay's schemas.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { RelayConfigSchema, RelayControlSchema } from '../../lib/index.js'
import { root } from '../program.js'
import { rows, rowsOfSection, spans } from './tables.js'

const page = 'docs/messages.md'
const types = 'types/messages.ts'
const text = await readFile(join(root, types), 'utf8')
const declarations = new Map<string, ts.InterfaceDeclaration | ts.TypeAliasDeclaration>()
for (const each of ts.createSourceFile(types, text, ts.ScriptTarget.Latest, true).statements) {
  if (ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each)) {
    declarations.set(each.name.text, each)
  }
}

function nameOf (member: ts.TypeElement): string {
  const { name } = member
  return name !== undefined && (ts.isStringLiteral(name) || ts.isIdentifier(name)) ? name.text : ''
}

/** The fields of a payload: of an interface, a literal, or the first object among alternatives. */
function fields (type: ts.Node): string[] {
  if (ts.isTypeReferenceNode(type)) return fields(declarations.get(type.typeName.getText())!)
  if (ts.isTypeAliasDeclaration(type)) return fields(type.type)
  if (ts.isUnionTypeNode(type)) return fields(type.types[0])
  if (!ts.isTypeLiteralNode(type) && !ts.isInterfaceDeclaration(type)) return []
  const optional = (member: ts.TypeElement): string => member.questionToken === undefined ? '' : '?'
  return type.members.map((member) => nameOf(member) + optional(member))
}

/** The topics of an interface, each with the fields of its payload. */
function topics (name: string): Record<string, string[]> {
  const { members } = declarations.get(name) as ts.InterfaceDeclaration
  return Object.fromEntries(members.map((member) => {
    return [nameOf(member), fields((member as ts.PropertySignature).type!)]
  }))
}

/** The same of a section of the page: its tables have the topic first and one payload `{ … }`. */
async function documented (heading: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {}
  for (const row of await rowsOfSection(page, heading, 'topic')) {
    const [topic] = spans(row[0])
    const payload = spans(row.join(' | ')).find((span) => span.startsWith('{ '))
    if (topic === undefined || payload === undefined) continue
    const names = payload.slice(2, -2).replace(/: [^,}]*/g, '').split(', ')
    found[topic] = names.map((field) => field.trim())
  }
  return found
}

for (const [heading, declared] of [
  ['From a connection to its target', 'RelayTopics'],
  ['To a connection', 'ConnectionTopics'],
  ['From the system to a process', 'SystemTopics']
]) {
  t.test(`lists each topic of ${declared} with the fields of its payload`, async (t) => {
    t.strictSame(sorted(await documented(heading)), sorted(topics(declared)))
  })
}

function sorted (table: Record<string, string[]>): Array<[string, string[]]> {
  return Object.keys(table).sort().map((topic) => [topic, [...table[topic]].sort()])
}

t.test(
  'lists each field of the header X-WS-Relay, and ws.control has all but two of them',
  async (t) => {
    const table = await rows(page, 'field', 'type', 'default', 'meaning')
    const names = table.map(([field]) => spans(field)[0]).sort()
    t.strictSame(names, Object.keys(RelayConfigSchema.properties).sort())
    // These are fixed at the upgrade.
    const changeable = names.filter((name) => name !== 'resume' && name !== 'protocol')
    t.strictSame(changeable, Object.keys(RelayControlSchema.properties).sort())
  }
)
