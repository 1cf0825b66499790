import type { TemplateResult } from 'lit-html'
import type { Answer, AnswerTo, Hello, View } from '../../frames.js'
import { hashOf, type Route, type ViewName } from '../routes.js'
import type { Order } from '../session.js'
import type { Sorting } from '../table.js'
import { search, type Content } from '../ui.js'

/** The surroundings of a view: its route, and the ways to change it. */
export interface Surroundings {
  readonly route: Route
  /** The node that is shown, for links; empty: that of the socket. */
  readonly node: string
  readonly hello: Hello | undefined
  /** PIDs of the rows of the answer before this one, to show which rows are new. */
  readonly known: ReadonlySet<string> | undefined
  /** Changes the query of the route, and keeps the view. */
  change (query: Readonly<Record<string, string>>): void
  /** Opens the dialog that asks whether the action is meant. */
  ask (action: Order['action'], pid: string, title: string): void
}

/** The same, with the newest answer. */
export interface Context<V extends View> extends Surroundings {
  readonly answer: AnswerTo<V>
}

export type ViewOf<V extends View> = (context: Context<V>) => TemplateResult

export type Row = Extract<Answer, { readonly rows: unknown }>['rows'][number]

/** A link that keeps the node. */
export function linkTo ({ node }: Surroundings, view: ViewName, of = ''): string {
  return hashOf(view, of, { node })
}

/** The order that the route asks for. */
export function sortingOf ({ route: { query } }: Surroundings, byDefault: string): Sorting {
  const sort = query.sort ?? byDefault
  return { by: sort.replace(/^-/, ''), descending: sort.startsWith('-') }
}

export function sortWith (context: Surroundings): (sorting: Sorting) => void {
  return ({ by, descending }) => { context.change({ sort: `${descending ? '-' : ''}${by}` }) }
}

/** The field that filters the rows of a view. */
export function filterOf (context: Surroundings, label: string): Content {
  return search(label, context.route.query.filter ?? '', (filter) => { context.change({ filter }) })
}
