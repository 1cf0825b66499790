import { skippable } from './link/codec.js'
import { frameTypes } from './link/frame-types.js'
import type { Frame } from './link/codec.js'
import type { FrameName } from './link/frame-types.js'
import type { Peer } from './membership/peer.js'

/** Handles a frame of one type from another node. @returns false if the frame is garbage */
export type FrameHandler = (peer: Peer, frame: Frame) => boolean

/**
 * The handler of each type of frame. Every part of a node has `handlers` for its own types; all of
 * them together are this table. A type without a handler does not compile.
 */
export type FrameHandlers = { readonly [Name in FrameName]: FrameHandler }

/** The handler of a type that never arrives alone on a channel. */
export const refuse: FrameHandler = () => false

/** @returns a function that passes each frame to the handler of its type */
export function dispatcherOf (handlers: FrameHandlers): FrameHandler {
  const byNumber: (FrameHandler | undefined)[] = []
  for (const [name, handler] of Object.entries(handlers)) {
    byNumber[frameTypes[name as FrameName]] = handler
  }
  return (peer, frame) => {
    const handler = byNumber[frame.type]
    // A type of a later version: this node may ignore it.
    return handler === undefined ? frame.type >= skippable : handler(peer, frame)
  }
}
