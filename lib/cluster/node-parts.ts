import { NodeContext } from './context.js'
import { dispatcherOf, refuse } from './dispatch.js'
import { NodeGroups } from './groups/groups.js'
import { NodeInbox } from './inbox.js'
import { EngineLink } from './link/engine-link.js'
import { Heartbeats } from './membership/heartbeats.js'
import { Membership } from './membership/membership.js'
import { Peers } from './membership/peers.js'
import { Register } from './register.js'
import { Router } from './remote/router.js'
import type { FrameHandler } from './dispatch.js'
import type { ClusterNodeOptions } from './node-options.js'

/** The events of its parts that concern a node as a whole. */
export interface NodeEvents {
  /** The engine became reachable or unreachable. */
  engineChanged (up: boolean): void
  /** Another node is down. Not called when this node has left the cluster. */
  nodeDown (node: string): void
  /** Another node has heard of a later incarnation of this one. */
  laterIncarnation (incarnation: number): void
}

/** The parts of a node. Each knows only the parts that it uses, and the context. */
export interface NodeParts {
  readonly context: NodeContext
  readonly register: Register
  readonly engineLink: EngineLink
  readonly peers: Peers
  readonly membership: Membership
  readonly heartbeats: Heartbeats
  readonly inbox: NodeInbox
  readonly groups: NodeGroups
  readonly router: Router
}

/** Makes the parts of a node, and connects them. */
export function makeParts (options: ClusterNodeOptions, events: NodeEvents): NodeParts {
  const context = new NodeContext(options)
  const register = new Register(context)
  const engineLink = new EngineLink(context, (up) => { events.engineChanged(up) })
  const peers: Peers = new Peers(context, engineLink, {
    handleFrame: (peer, frame) => dispatch(peer, frame),
    peerReady: (peer) => { groups.refreshMembers(peer) },
    peerDown: (peer) => { groups.nodeDown(peer) },
    channelReset: (peer) => {
      groups.channelReset(peer)
      router.channelReset(peer)
    }
  })
  const membership = new Membership(context, engineLink, {
    nodeUp: (node, incarnation) => { peers.nodeUp(node, incarnation) },
    nodeDown: (node, incarnation, why) => {
      peers.nodeDown(node, incarnation, why)
      if (!engineLink.silenced) events.nodeDown(node)
    },
    nodeForgotten: (node) => { peers.forgetNode(node) },
    laterIncarnation: (incarnation) => { events.laterIncarnation(incarnation) }
  })
  const inbox = new NodeInbox(context, membership, peers)
  const heartbeats = new Heartbeats(context, engineLink, membership, peers)
  const groups = new NodeGroups(context, engineLink, peers, inbox)
  const router = new Router(context, peers)
  const dispatch: FrameHandler = dispatcherOf({
    ...router.handlers,
    ...groups.handlers,
    // The channel makes whole frames of fragments.
    fragment: refuse,
    // These two arrive on the topics of groups.
    broadcast: refuse,
    except: refuse
  })
  return { context, register, engineLink, peers, membership, heartbeats, inbox, groups, router }
}
