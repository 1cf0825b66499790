// `node --import` this: TypeScript is compiled as it is loaded, with the fault that its query names.
import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
