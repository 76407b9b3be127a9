import type { CallContext } from '@flowforge/runtime/server'
import type { Actor } from '../engine/audit.ts'

/** Who makes this call and which, for the audit log. */
export function actorOf(context: CallContext): Actor {
  return { principal: context.principal, method: context.method.replace(/^\//, '') }
}
