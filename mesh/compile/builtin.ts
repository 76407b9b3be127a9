/**
 * What every server offers besides the RPCs of the contracts: health and reflection, to every identity of the
 * installation and to nobody else. `services/runtime/builtin-services.ts` serves them under the same rule.
 */
export const builtinServices = [
  { name: 'health', services: ['grpc.health.v1.Health'] },
  {
    name: 'reflection',
    services: ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'],
  },
] as const
