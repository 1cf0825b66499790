// ESLint plugin with one rule: comments and names of tests avoid constructions that many readers of
// English as a second language have to decode. Text in backticks is code and is not checked.

/** The constructions, each with a way to say it plainly. */
const constructions = [
  [/\b(?:is|are|was|were|be) told of\b/i, 'say who receives which message'],
  [/\bbe of\b/i, 'use a verb: "belong to", "have"'],
  [/\bbehind it\b/i, 'say "after it"'],
  [/\bat work\b/i, 'say "running"'],
  [/\belsewhere\b/i, 'say "remote" or "on another node"'],
  [
    /\bthe (?:more|less|longer|later|fewer)\b[^.;]*\bthe (?:more|less|longer|later|fewer)\b/i,
    'say what depends on what'
  ],
  [/^(?:what|who)\b[^?]*$/i, 'begin with a noun']
]

/** The first construction in a text, with the advice; undefined if there is none. */
export function findConstruction (text) {
  const plain = text.replace(/`[^`]*`/g, 'code').replace(/^[\s*]+/, '')
  for (const [pattern, advice] of constructions) {
    const match = pattern.exec(plain)
    if (match) return { found: match[0].split(/\s+/).slice(0, 4).join(' '), advice }
  }
}

/** The text of a test's name, or undefined where the call is no test. */
function nameOfTest ({ callee, arguments: [name] }) {
  if (callee.type !== 'MemberExpression' || callee.property.name !== 'test') return undefined
  if (name?.type === 'Literal') return String(name.value)
  if (name?.type !== 'TemplateLiteral') return undefined
  return name.quasis.map(({ value }) => value.cooked).join('`x`')
}

/** The comments of a file; line comments below each other are one. */
function commentsOf (sourceCode) {
  const comments = []
  for (const { type, value, loc } of sourceCode.getAllComments()) {
    const last = comments.at(-1)
    const text = value.replace(/\n\s*\*?/g, ' ')
    const continues = type === 'Line' && last?.type === 'Line' &&
      last.loc.end.line + 1 === loc.start.line && last.loc.start.column === loc.start.column
    if (continues) {
      last.text += text
      last.loc = { start: last.loc.start, end: loc.end }
    } else comments.push({ type, text, loc })
  }
  return comments
}

const plainEnglish = {
  meta: { type: 'suggestion', schema: [], messages: { found: '"{{ found }}": {{ advice }}' } },
  create (context) {
    const check = (node, text) => {
      const data = findConstruction(text)
      if (data !== undefined) context.report({ loc: node.loc, messageId: 'found', data })
    }
    return {
      Program () {
        for (const comment of commentsOf(context.sourceCode)) check(comment, comment.text)
      },
      CallExpression (node) {
        const name = nameOfTest(node)
        if (name !== undefined) check(node.arguments[0], name)
      }
    }
  }
}

export default { rules: { 'plain-english': plainEnglish } }
