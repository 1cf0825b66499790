import type { EndError } from '../../../types/explain.js'

const longestName = 100
const longestMessage = 1000
const longestFrame = 300
const longestStack = 10_000
const maxFrames = 5

/** A chain of links passes one error on: it is read once. */
const summaries = new WeakMap<Error, EndError>()

/**
 * The text of an error. The error itself is not kept, because it may refer to anything. It is the
 * error of a user: its properties may throw, and have any type.
 */
export function summaryOf (error: Error): EndError {
  let summary = summaries.get(error)
  if (summary === undefined) summaries.set(error, summary = summarize(error))
  return summary
}

function summarize (error: Error): EndError {
  const message = textOf(error, 'message')
  return {
    name: textOf(error, 'name').slice(0, longestName),
    message: message.slice(0, longestMessage),
    frames: framesOf(textOf(error, 'stack'), message)
  }
}

function textOf (error: Error, property: 'name' | 'message' | 'stack'): string {
  try {
    const value: unknown = error[property]
    return typeof value === 'string' ? value : ''
  } catch {
    // A getter of the error has thrown.
    return ''
  }
}

/** The frames come after the message, which may have lines that look like frames. */
function framesOf (stack: string, message: string): string[] {
  const start = Math.max(0, stack.indexOf(message)) + message.length
  return stack.slice(start, start + longestStack).split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, maxFrames)
    .map((line) => line.slice('at '.length).slice(0, longestFrame))
}
