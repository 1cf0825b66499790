import { calls } from './calls.js'
import { relations } from './relations.js'
import type { Suite } from './suite.js'

export const suites: readonly Suite[] = [relations, calls]
