// For `node --import`: compiles TypeScript when it is loaded, with the mutant in the query of its
// URL.
import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
