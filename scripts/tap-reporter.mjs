// tap's reporter here: one line per test file, the failures in full, the totals at the end.
// The built-in short ones redraw the terminal, which makes a CI log unreadable.
// The whole output goes to .tap/results.tap: tap's own `output-file` would repeat it on stdout.
import { mkdirSync, openSync, writeSync } from 'node:fs'
import { Transform } from 'node:stream'
import { readTotals } from './tap-totals.mjs'

const file = '.tap/results.tap'
/** As `missing` of `test/installed.ts` says it. */
const notInstalled = / # SKIP (no .+: install it .*)$/
const testFile = /^test\/\S+\.test\.ts\b/
const groupPrefix = 'process of'
const testPoint = /^( *)(not )?ok \d+(?: - (.*))?$/

/** The name of a process that runs several test files: each of them is reported as a file. */
export function groupName (files) {
  return `${groupPrefix} ${files.length} files from ${files[0]}`
}

export default class TapReporter extends Transform {
  /** Test files that skip tests because a program is not installed, by the reason. */
  missing = new Map()
  #file
  #rest = ''
  #diagnostic // the indentation of the diagnostic that is being copied
  #missing = new Set() // the reasons of the file that is being read: its own line comes last
  #failed = false // the last test point failed: its diagnostic is wanted
  #totals

  constructor () {
    super({ decodeStrings: false })
    // tap sets the exit code only if it writes to stdout itself. A run without totals has failed.
    process.on('exit', () => { if (this.#totals?.failed !== 0) process.exitCode = 1 })
    mkdirSync('.tap', { recursive: true })
    this.#file = openSync(file, 'w')
  }

  _transform (chunk, _encoding, done) {
    writeSync(this.#file, chunk)
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
    done()
  }

  _flush (done) {
    if (this.#rest) this.#line(this.#rest)
    const { passed, failed, skipped } = this.#totals ?? { passed: 0, failed: 1, skipped: 0 }
    if (failed) this.#print(`The whole output: ${file}`)
    if (skipped) this.#print(`${skipped} skipped`)
    this.#print(`${passed} passed, ${failed} failed`)
    done()
  }

  #line (line) {
    this.#totals = readTotals(line) ?? this.#totals
    if (this.#diagnostic !== undefined) {
      this.#print(line)
      if (line === `${this.#diagnostic}...`) this.#diagnostic = undefined
      return
    }
    if (this.#failed && /^ *---$/.test(line)) {
      this.#diagnostic = line.slice(0, -3)
      this.#print(line)
      return
    }
    const [, indent, notOk, name = ''] = testPoint.exec(line) ?? []
    const isGroup = indent === '' && name.startsWith(groupPrefix)
    const isFile = !isGroup && (indent === '' || (indent === '    ' && testFile.test(name)))
    const isSkipped = / # (?:SKIP|TODO)\b/i.test(name)
    const isFailed = notOk !== undefined && !isSkipped
    const reason = notInstalled.exec(name)?.[1]
    if (reason !== undefined) this.#missing.add(reason)
    if (isFile) this.#endOfFile(name)
    if (isFailed || isFile || isSkipped || /^ *Bail out!/.test(line)) {
      this.#print(isFile ? line.trimStart() : line)
    }
    // A test around a failed assertion has a duration and adds nothing, unless it is the file.
    this.#failed = isFailed && (isFile || !/ # time=/.test(name))
  }

  #endOfFile (name) {
    const [file] = name.split(' # ')
    for (const reason of this.#missing) {
      this.missing.set(reason, [...this.missing.get(reason) ?? [], file])
    }
    this.#missing.clear()
  }

  #print (line) {
    this.push(`${line}\n`)
  }
}
