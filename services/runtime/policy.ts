/** The policies that hold in this process: those of the contracts. */
import type { Component, MethodPolicy, RatePolicy } from '@flowforge/mesh/policy/policy'
import { loadPolicies as loadAll } from '@flowforge/mesh/policy/read-policies'

export { components, type Component, type MethodPolicy, type Role } from '@flowforge/mesh/policy/policy'

/**
 * The policies of all FlowForge RPCs by path, `/package.Service/Method`, read once.
 *
 * Throws when a declaration does not compile: a process that would leave an RPC open or unbounded does not start.
 */
export function loadPolicies(): Map<string, MethodPolicy> {
  return loadAll().methods
}

/** The rate of a component's port, which the mesh keeps too; undefined when none is declared. */
export function loadPortRate(component: Component): RatePolicy | undefined {
  return loadAll().components.get(component)?.meshRate
}
