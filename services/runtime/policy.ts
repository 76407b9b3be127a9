/** The access policy of every RPC, as the contracts declare it in `(flowforge.mesh.v1.policy)`. */
import { getOption, type DescEnum, type DescExtension, type DescMethod } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt'
import { descriptorRegistry } from '@flowforge/proto/descriptors'
import { parseDuration } from './duration.ts'

/** Whoever has an identity of its own; each is a value of `flowforge.mesh.v1.Component`. */
export const components = ['gateway', 'tasks', 'accounts', 'notifications', 'worker', 'operator'] as const
export type Component = (typeof components)[number]
export type Role = 'viewer' | 'submitter' | 'worker' | 'admin'

/** Who may call an RPC, with which role, for how long, and whether a failed call may be repeated. */
export interface MethodPolicy {
  callers: ReadonlySet<Component>
  roles: ReadonlySet<Role>
  timeoutMs?: number
  idleTimeoutMs?: number
  /** Declared NO_SIDE_EFFECTS or IDEMPOTENT: a client may repeat it when it does not know the outcome. */
  idempotent: boolean
}

interface PolicyOption {
  callers: number[]
  roles: number[]
  timeout: string
  idleTimeout: string
}

let policies: Map<string, MethodPolicy> | undefined

/**
 * The policies of all FlowForge RPCs by path, `/package.Service/Method`, read once.
 *
 * Throws when an RPC declares none, names no caller, or has a time that cannot be read: a process that would leave an
 * RPC open or unbounded does not start.
 */
export function loadPolicies(): Map<string, MethodPolicy> {
  policies ??= readPolicies()
  return policies
}

function readPolicies(): Map<string, MethodPolicy> {
  const registry = descriptorRegistry()
  const option = registry.getExtension('flowforge.mesh.v1.policy')
  const component = registry.getEnum('flowforge.mesh.v1.Component')
  const role = registry.getEnum('flowforge.mesh.v1.Role')
  if (!option || !component || !role) throw new Error('the contracts do not contain flowforge.mesh.v1')
  const read = new Map<string, MethodPolicy>()
  for (const file of registry.files) {
    if (!file.proto.package.startsWith('flowforge.')) continue
    for (const method of file.services.flatMap((service) => service.methods)) {
      read.set(`/${method.parent.typeName}/${method.name}`, readPolicy(method, option, component, role))
    }
  }
  return read
}

function readPolicy(method: DescMethod, option: DescExtension, component: DescEnum, role: DescEnum): MethodPolicy {
  // The extension is known from the descriptors alone, so its shape is not a type of the compiler's.
  const declared = getOption(method, option) as unknown as PolicyOption
  const name = `${method.parent.typeName}/${method.name}`
  if (declared.callers.length === 0) throw new Error(`${name} does not say who may call it`)
  const unary = method.methodKind === 'unary'
  const timeoutMs = readTime(name, declared.timeout)
  const idleTimeoutMs = readTime(name, declared.idleTimeout)
  if ((unary ? timeoutMs : idleTimeoutMs) === undefined) {
    throw new Error(`${name} does not say how long it may ${unary ? 'take' : 'be silent'}`)
  }
  return {
    callers: new Set(declared.callers.map((number) => enumWord(component, number) as Component)),
    roles: new Set(declared.roles.map((number) => enumWord(role, number) as Role)),
    timeoutMs,
    idleTimeoutMs,
    idempotent: [Idempotency.IDEMPOTENT, Idempotency.NO_SIDE_EFFECTS].includes(method.idempotency),
  }
}

function readTime(method: string, value: string): number | undefined {
  if (value === '') return undefined
  const ms = parseDuration(value)
  if (ms === undefined) throw new Error(`${method} has a time that is not a duration: ${value}`)
  return ms
}

/** `COMPONENT_GATEWAY` → `gateway`. */
function enumWord(type: DescEnum, number: number): string {
  const value = type.value[number]
  if (!value || number === 0) throw new Error(`${type.typeName} has no value ${number}`)
  return value.localName.toLowerCase()
}
